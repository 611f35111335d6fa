package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"sluice.dev/sluice/tests/sandbox"
)

// WatchAddresses are where watchers inside listen for the API server, one per
// replica: every address of the sandbox's range is its own.
var WatchAddresses = []string{"192.0.2.50", "192.0.2.51"}

// Watcher is a `sluice watch` that runs inside the sandbox.
type Watcher struct {
	cmd  *sandbox.Cmd
	logs io.Closer
	path string
	from int64
}

// StartWatch starts a watcher inside with the rights of deploy/rbac/watch.yaml,
// and returns when its log has the text. Its log is appended to
// logs/sluice-watch.log.
func (b *Bed) StartWatch(ctx context.Context, until string, args ...string) (*Watcher, error) {
	return b.startWatch(ctx, watchAccount, until, args)
}

// StartWatchOf starts a watcher of a class, with the rights that docs/bypass.md
// gives to one.
func (b *Bed) StartWatchOf(ctx context.Context, class, until string, args ...string) (*Watcher, error) {
	return b.startWatch(ctx, watchAccount+"-"+class, until, append([]string{"--class", class}, args...))
}

// watchAccount is the name of everything in deploy/rbac/watch.yaml.
const watchAccount = "sluice-watch"

func (b *Bed) startWatch(ctx context.Context, account, until string, args []string) (*Watcher, error) {
	kubeconfig, err := b.identityAs(ctx, "watch.yaml", watchAccount, account)
	if err != nil {
		return nil, err
	}
	path := b.Sandbox.Dir().Log("sluice-watch")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the watcher's log: %w", err)
	}
	begin, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("opening the watcher's log: %w", err)
	}
	args = append([]string{"watch", "--kubeconfig", kubeconfig, "--watch-metrics-address", ""}, args...)
	cmd := b.Sandbox.Command(context.WithoutCancel(ctx), b.Programs.Sluice, args...)
	cmd.Stdout, cmd.Stderr = file, file
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting a watcher: %w", err)
	}
	w := &Watcher{cmd: cmd, logs: file, path: path, from: begin}
	return w, w.Await(ctx, until)
}

// HookArgs are the flags of a watcher that serves the webhooks on one of the
// WatchAddresses.
func HookArgs(replica int) []string {
	address := WatchAddresses[replica] + ":9443"
	return []string{"--webhook-address", address, "--webhook-url", "https://" + address}
}

// Log is what the watcher has logged.
func (w *Watcher) Log() ([]byte, error) {
	log, err := os.ReadFile(w.path)
	if err != nil {
		return nil, fmt.Errorf("reading the watcher's log: %w", err)
	}
	return log[w.from:], nil
}

// Await waits until the watcher has logged a text; its end is an error.
func (w *Watcher) Await(ctx context.Context, text string) error {
	var ended error
	err := Await(ctx, fmt.Sprintf("the watcher logs %q", text), func(context.Context) (bool, error) {
		log, err := w.Log()
		if err != nil || bytes.Contains(log, []byte(text)) {
			return err == nil, err
		}
		if w.Ended() {
			ended = fmt.Errorf("the watcher ended: see %s: %s", w.path, log)
		}
		return ended != nil, nil
	})
	return errors.Join(err, ended)
}

// Ended says that the watcher has ended by itself: one that acts does so when it
// loses its lease.
func (w *Watcher) Ended() bool {
	select {
	case <-w.cmd.Ended():
		return true
	default:
		return false
	}
}

// Stop ends the watcher in order, so that another may lead at once.
func (w *Watcher) Stop() error {
	if w.Ended() {
		return w.logs.Close()
	}
	if err := w.cmd.Signal(unix.SIGTERM); err != nil {
		return fmt.Errorf("stopping the watcher: %w", err)
	}
	<-w.cmd.Ended()
	return w.logs.Close()
}

// Kill ends the watcher as a machine that fails would, and waits for its end.
func (w *Watcher) Kill() error {
	if err := w.cmd.Kill(); err != nil {
		return fmt.Errorf("killing the watcher: %w", err)
	}
	<-w.cmd.Ended()
	return w.logs.Close()
}

// Stall stops the watcher where it is, as a machine that hangs would: its sockets
// take connections, and nobody answers.
func (w *Watcher) Stall() error {
	if err := w.cmd.Signal(unix.SIGSTOP); err != nil {
		return fmt.Errorf("stalling the watcher: %w", err)
	}
	return nil
}

// Resume lets a stalled watcher go on.
func (w *Watcher) Resume() error {
	if err := w.cmd.Signal(unix.SIGCONT); err != nil {
		return fmt.Errorf("resuming the watcher: %w", err)
	}
	return nil
}

// PID is the number of the watcher's process inside.
func (w *Watcher) PID() int { return w.cmd.PID() }
