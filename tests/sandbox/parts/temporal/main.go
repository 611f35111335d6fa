// Command sandbox-temporal is a Temporal server with its Web UI in one process,
// on one SQLite file. It is what the sandbox uses as Temporal; it is not meant
// for production: there is no authentication, and a file made by one version of
// the server is not migrated to another.
//
// Everything that was answered is in the file, so the process may be killed at
// any moment and started again on the same file.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// stopTimeout bounds an orderly stop. What was answered is in the file already,
// so nothing is lost by leaving before every service has said goodbye.
const stopTimeout = 2 * time.Second

func main() {
	opts, err := parseOptions(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "sandbox-temporal: %v\n", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, opts, newLogger(opts)); err != nil {
		fmt.Fprintf(os.Stderr, "sandbox-temporal: %v\n", err)
		os.Exit(1)
	}
}

// newLogger is for what this command itself has to say; the server has a logger
// of its own with the same level.
func newLogger(opts options) *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: opts.logLevel}))
}

// run serves until ctx ends.
func run(ctx context.Context, opts options, log *slog.Logger) error {
	began := time.Now()
	stopMetrics, err := serveMetrics(opts)
	if err != nil {
		return err
	}
	defer stopMetrics() //nolint:errcheck // the process is about to end
	srv, err := newServer(opts)
	if err != nil {
		return err
	}
	if err := srv.Start(); err != nil {
		return fmt.Errorf("starting the Temporal server: %w", err)
	}
	defer stopWithin(stopTimeout, log, srv.Stop)

	if err := prepare(ctx, opts); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	log.Info("Temporal is ready", "grpc", opts.grpc, "db", opts.db, "took", time.Since(began).Round(time.Millisecond))

	ui, err := startUI(opts)
	if err != nil {
		return err
	}
	defer ui.Stop()
	if opts.ui.IsValid() {
		log.Info("Web UI is ready", "url", "http://"+opts.ui.String())
	}
	<-ctx.Done()
	log.Info("stopping")
	return nil
}

// stopWithin calls stop and waits for it no longer than the timeout.
func stopWithin(timeout time.Duration, log *slog.Logger, stop func() error) {
	done := make(chan error, 1)
	go func() { done <- stop() }()
	select {
	case err := <-done:
		if err != nil {
			log.Warn("stopping the Temporal server", "err", err)
		}
	case <-time.After(timeout):
		log.Info("leaving without waiting for the server's services", "waited", timeout)
	}
}
