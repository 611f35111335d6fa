package layout

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// ErrHeld says that another process holds a lock.
var ErrHeld = errors.New("held by another process")

// lockEvery is the pause between two attempts to get a lock that is waited
// for. flock can wait by itself, but not end with a context.
const lockEvery = 100 * time.Millisecond

// Lock is an exclusive lock on a file. The kernel releases it when the
// process ends, however it ends.
type Lock struct {
	file *os.File
}

// TryLock takes the lock of the folder, which the outer process holds as long
// as the sandbox runs. The error wraps ErrHeld if it is held.
func (d Dir) TryLock() (*Lock, error) {
	return TryLock(d.lock())
}

// TryLock takes the lock on a file, which it creates if need be. The error
// wraps ErrHeld if another process has it.
func TryLock(path string) (*Lock, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the lock: %w", err)
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		file.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = ErrHeld
		}
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	return &Lock{file: file}, nil
}

// WaitLock takes the lock on a file and waits for it until ctx ends. waiting
// is called once if another process has it.
func WaitLock(ctx context.Context, path string, waiting func()) (*Lock, error) {
	ticker := time.NewTicker(lockEvery)
	defer ticker.Stop()
	for first := true; ; first = false {
		lock, err := TryLock(path)
		if !errors.Is(err, ErrHeld) {
			return lock, err
		}
		if first {
			waiting()
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("locking %s: %w", path, ctx.Err())
		case <-ticker.C:
		}
	}
}

// Release gives the lock up. To release it twice is no error.
func (l *Lock) Release() error {
	if err := l.file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("releasing the lock: %w", err)
	}
	return nil
}
