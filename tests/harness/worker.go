package harness

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"

	"sluice.dev/sluice/tests/sandbox"
)

// quiet is a logger for clients of which only errors matter.
func quiet() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
}

// workerAddress is where workers inside serve health and metrics.
const workerAddress = "192.0.2.10:9464"

// Worker is a sluice-worker that runs inside the sandbox.
type Worker struct {
	cmd  *sandbox.Cmd
	logs io.Closer
}

// taking is what the worker logs when it takes work.
const taking = "taking work"

// StartWorker starts a worker inside and returns when it takes work. Its log is
// appended to logs/sluice-worker.log.
func (b *Bed) StartWorker(ctx context.Context, args ...string) (*Worker, error) {
	path := b.Sandbox.Dir().Log("sluice-worker")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the worker's log: %w", err)
	}
	begin, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("opening the worker's log: %w", err)
	}
	args = append([]string{"--gateway", "nginx=traefik:gateway/traefik:api", "--metrics-address", workerAddress, "--health-address", workerAddress}, args...)
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

// Kill ends the worker as a machine that fails would, and waits for its end.
func (w *Worker) Kill() error {
	if err := w.cmd.Kill(); err != nil {
		return fmt.Errorf("killing the worker: %w", err)
	}
	<-w.cmd.Ended()
	return w.logs.Close()
}

// Ended is closed when the worker has ended.
func (w *Worker) Ended() <-chan struct{} { return w.cmd.Ended() }
