// Command demoapp is the application that the sandbox rolls out. It answers
// every request with its version, as the image of the canary tutorials does,
// and misbehaves on request.
//
// It listens on $POD_IP:$PORT (port 8080) and serves /metrics (Prometheus),
// /healthz (always well) and /readyz; every other path answers
// "version: <version>". The environment says how it behaves:
//
//	VERSION        version to answer with; default the image's tag, $IMAGE_TAG
//	FAIL_SHARE     share of requests, 0 to 1, that is answered with 500
//	FAIL_HEADER    name:value; only requests with this header fail, all of them
//	               unless FAIL_SHARE says less
//	FAIL_AFTER     duration after the start before which nothing fails
//	FAIL_FILE      nothing fails before there is a file of this name
//	LATENCY        duration that answers are delayed by
//	LATENCY_SHARE  share of requests, 0 to 1, that LATENCY applies to; default 1
//	BURN_CPU       share of one CPU, 0 to 1, that is used for nothing
//	HOLD_MEMORY    MiB of memory, up to 1024, that are held for nothing
//	START_DELAY    duration after which it begins to listen
//	NEVER_READY    1: listens, but /readyz answers 503, for pods with a
//	               readiness probe; crash: exits with code 1 at once, for pods
//	               without one, which would count as ready as soon as they run
//	CRASH_AFTER    duration after the start after which it exits with code 1
//	TERM           what SIGTERM does. die (default): it ends at once and
//	               requests under way are lost, as with most simple images;
//	               graceful: it accepts no more, answers what is under way and
//	               ends; ignore: nothing, so that it takes SIGKILL. Outside of a
//	               pod (no POD_IP) TERM may also be a terminal's name.
//
// It exits with code 2 when one of them cannot be understood.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	c, err := readConfig(os.Getenv)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if err := run(c); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run serves until the process is told to end or is meant to crash.
func run(c config) error {
	started := time.Now()
	ctx := context.Background()
	switch c.term {
	case termIgnore:
		signal.Ignore(syscall.SIGTERM)
	case termGraceful:
		var stop context.CancelFunc
		ctx, stop = signal.NotifyContext(ctx, syscall.SIGTERM)
		defer stop()
	}
	if c.neverReady == neverReadyCrash {
		return errors.New("exiting: NEVER_READY=crash")
	}
	var crash <-chan time.Time
	if c.crashAfter > 0 {
		crash = time.After(c.crashAfter)
	}
	select {
	case <-time.After(c.startDelay):
	case <-crash:
		return fmt.Errorf("exiting: CRASH_AFTER=%s has passed", c.crashAfter)
	case <-ctx.Done():
		return nil
	}
	return serve(ctx, c, started, crash)
}

func serve(ctx context.Context, c config, started time.Time, crash <-chan time.Time) error {
	listener, err := net.Listen("tcp", c.address)
	if err != nil {
		return fmt.Errorf("listening on %s: %w", c.address, err)
	}
	hold(c.holdMemory)
	go burn(c.burnCPU)
	fmt.Printf("serving version %s on %s\n", c.version, c.address)
	server := &http.Server{Handler: newApp(c, started), ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("serving on %s: %w", c.address, err)
	case <-crash:
		return fmt.Errorf("exiting: CRASH_AFTER=%s has passed", c.crashAfter)
	case <-ctx.Done():
	}
	// How long it may take is the pod's termination grace, not ours to decide.
	if err := server.Shutdown(context.Background()); err != nil {
		return fmt.Errorf("finishing requests: %w", err)
	}
	return nil
}
