package inside

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"sluice.dev/sluice/tests/sandbox/control"
	"sluice.dev/sluice/tests/sandbox/forward"
	"sluice.dev/sluice/tests/sandbox/proc"
)

// stopLimit is how long all parts together may take to end before what is
// left of them is killed.
const stopLimit = 15 * time.Second

// supervise runs the parts until it is told to end.
func supervise(spec Spec, tasks Tasks) (int, error) {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGINT, unix.SIGHUP)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo}))
	if err := runParts(ctx, spec, tasks(spec), log); err != nil {
		return 1, err
	}
	return 0, nil
}

func runParts(ctx context.Context, spec Spec, tasks map[string]proc.Task, log *slog.Logger) error {
	parts, err := proc.New(spec.Parts, tasks, reporter(log))
	if err != nil {
		return fmt.Errorf("reading the parts: %w", err)
	}
	listeners, err := passedListeners(len(spec.Forwards))
	if err != nil {
		return err
	}
	socket, err := control.Listen(spec.Dir.Control())
	if err != nil {
		return err
	}
	// Commands, forwards and the control socket stay until the parts are down:
	// what happens while they go must be visible.
	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	var wait sync.WaitGroup
	defer wait.Wait()
	defer stopServing()
	wait.Go(func() {
		warn(log, "serving the control socket", control.NewServer(parts, spec.Env, log).Serve(serving, socket))
	})
	for i, f := range spec.Forwards {
		wait.Go(func() {
			warn(log, "forwarding "+f.Name, forward.Serve(serving, listeners[i], f.Targets, log))
		})
	}
	if err := parts.StartAll(ctx); err != nil && ctx.Err() == nil {
		// The outer process reads this from the status and decides.
		log.Error("starting the sandbox", "error", err)
	}
	<-ctx.Done()
	log.Info("stopping")
	stopping, cancel := context.WithTimeout(serving, stopLimit)
	defer cancel()
	return parts.StopAll(stopping)
}

// passedListeners returns the listeners that the outer process handed over.
func passedListeners(n int) ([]net.Listener, error) {
	listeners := make([]net.Listener, 0, n)
	for _, file := range passedFiles(superListenerFD, n) {
		listener, err := net.FileListener(file)
		if err != nil {
			return nil, fmt.Errorf("taking over a listener: %w", err)
		}
		// The listener has a copy.
		file.Close()
		listeners = append(listeners, listener)
	}
	return listeners, nil
}

// reporter returns a function that logs how parts come and go.
func reporter(log *slog.Logger) func(proc.PartStatus) {
	return func(s proc.PartStatus) {
		level := slog.LevelInfo
		if s.State == proc.Failed {
			level = slog.LevelError
		}
		attrs := []slog.Attr{slog.String("part", s.Name), slog.String("state", string(s.State))}
		if s.PID != 0 {
			attrs = append(attrs, slog.Int("pid", s.PID))
		}
		if s.ReadyAfter > 0 {
			attrs = append(attrs, slog.Duration("readyAfter", s.ReadyAfter))
		}
		if s.Detail != "" {
			attrs = append(attrs, slog.String("detail", s.Detail))
		}
		log.LogAttrs(context.Background(), level, "part", attrs...)
	}
}

func warn(log *slog.Logger, doing string, err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		log.Warn(doing, "error", err)
	}
}
