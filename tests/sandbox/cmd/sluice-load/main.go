// Command sluice-load sends a bounded load to the sandbox and reports whether a
// request was lost. See package load for how it counts.
//
// It ends by itself, on SIGINT or SIGTERM, or when told to through --control,
// and always with a report. Exit code 0: nothing was lost; 3: something was;
// 2: wrong usage; 1: anything else.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"sluice.dev/sluice/tests/sandbox/load"
)

const exitLost = 3

func main() {
	cfg, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "sluice-load: %v\n", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	rep, err := run(ctx, cfg, os.Stdout)
	stop()
	switch {
	case err != nil:
		fmt.Fprintf(os.Stderr, "sluice-load: %v\n", err)
		os.Exit(1)
	case rep.Whole.Lost() > 0:
		os.Exit(exitLost)
	}
}

// run sends the load and writes the report to out when it is over.
func run(ctx context.Context, cfg config, out *os.File) (load.Report, error) {
	var socket net.Listener
	if cfg.control != "" {
		l, err := listen(cfg.control)
		if err != nil {
			return load.Report{}, fmt.Errorf("listening for --control: %w", err)
		}
		defer l.Close() //nolint:errcheck // also removes the socket
		socket = l
	}
	r, err := load.Start(ctx, cfg.options)
	if err != nil {
		return load.Report{}, err
	}
	served := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		if socket == nil {
			served <- nil
			return
		}
		served <- r.Serve(ctx, socket)
	}()
	watch(r, out)
	rep := r.Stop()
	if err := cfg.print(out, rep); err != nil {
		return rep, fmt.Errorf("writing the report: %w", err)
	}
	cancel()
	return rep, <-served
}

// listen takes over a socket that a killed process has left behind.
func listen(socket string) (net.Listener, error) {
	l, err := net.Listen("unix", socket)
	if !errors.Is(err, syscall.EADDRINUSE) {
		return l, err
	}
	if c, dialErr := net.Dial("unix", socket); !errors.Is(dialErr, syscall.ECONNREFUSED) {
		if dialErr == nil {
			_ = c.Close()
		}
		return nil, err
	}
	if err := os.Remove(socket); err != nil {
		return nil, err
	}
	return net.Listen("unix", socket)
}

// watch returns when the run is over. On a terminal it shows a line that
// changes once a second.
func watch(r *load.Runner, out *os.File) {
	if !isTerminal(out) {
		<-r.Done()
		return
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-r.Done():
			_, _ = io.WriteString(out, clearLine)
			return
		case <-tick.C:
			if w, err := r.Window(""); err == nil {
				_, _ = io.WriteString(out, clearLine+liveLine(w))
			}
		}
	}
}

// clearLine goes back to the beginning of a terminal's line and empties it.
const clearLine = "\r\x1b[K"

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
