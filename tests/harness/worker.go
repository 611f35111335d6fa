package harness

import (
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

// WorkerAddress is where workers inside, unless they are told otherwise, serve health and metrics.
const WorkerAddress = "192.0.2.10:9464"

// Worker is a sluice-worker that runs inside the sandbox.
type Worker struct {
	cmd  *sandbox.Cmd
	logs io.Closer
}

// taking is what the worker logs when it takes work.
const taking = "taking work"

// StartWorker starts a worker inside that has the rights of
// deploy/rbac/worker.yaml only, asks the gateway's replicas and reads the files of
// Credentials, and returns when it takes work.
func (b *Bed) StartWorker(ctx context.Context, args ...string) (*Worker, error) {
	if err := os.MkdirAll(b.Credentials(), 0o700); err != nil {
		return nil, fmt.Errorf("creating the folder of credentials: %w", err)
	}
	kubeconfig, err := b.Identity(ctx, "worker.yaml", "sluice-worker")
	if err != nil {
		return nil, err
	}
	return b.LaunchWorker(ctx, append([]string{"--kubeconfig", kubeconfig,
		"--gateway", "nginx=traefik:gateway/traefik:api", "--prometheus-credentials", b.Credentials()}, args...)...)
}

// Credentials is the folder whose files documents may name.
func (b *Bed) Credentials() string { return b.Sandbox.Dir().Join("credentials") }

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
