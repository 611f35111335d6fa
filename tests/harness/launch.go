package harness

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// LaunchWorker starts a worker inside with these settings and no others, and
// returns when it takes work. Its log is appended to logs/sluice-worker.log.
func (b *Bed) LaunchWorker(ctx context.Context, args ...string) (*Worker, error) {
	path := b.Sandbox.Dir().Log("sluice-worker")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the worker's log: %w", err)
	}
	begin, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("opening the worker's log: %w", err)
	}
	args = append([]string{"--metrics-address", WorkerAddress, "--health-address", WorkerAddress}, args...)
	cmd := b.Sandbox.Command(context.WithoutCancel(ctx), b.Programs.Worker, args...)
	cmd.Stdout, cmd.Stderr = file, file
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting a worker: %w", err)
	}
	w := &Worker{cmd: cmd, logs: file}
	err = Await(ctx, "the worker takes work", func(context.Context) (bool, error) {
		select {
		case <-cmd.Ended():
			return false, fmt.Errorf("the worker ended: see %s", path)
		default:
		}
		log, err := os.ReadFile(path)
		return err == nil && bytes.Contains(log[begin:], []byte(taking)), err
	})
	if err != nil {
		return nil, err
	}
	return w, nil
}

// PID is the number of the worker's process inside.
func (w *Worker) PID() int { return w.cmd.PID() }

// Stop ends the worker in order, as a cluster does, and waits for its end. When
// ctx ends first the worker is killed.
func (w *Worker) Stop(ctx context.Context) error {
	if err := w.cmd.Signal(unix.SIGTERM); err != nil {
		return fmt.Errorf("stopping the worker: %w", err)
	}
	select {
	case <-w.cmd.Ended():
		return w.logs.Close()
	case <-ctx.Done():
		return w.Kill()
	}
}
