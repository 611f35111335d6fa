package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"sluice.dev/sluice/tests/bench/meter"
	"sluice.dev/sluice/tests/harness"
)

// The gateways that a worker may be told of.
const (
	// askGateway has the worker ask every replica of the gateway for its state.
	askGateway = "nginx=traefik:gateway/traefik:api"
	// noGateway is a settings file for a worker that takes every change for
	// confirmed at once: what is measured with it is not the gateway's.
	noGateway = "gateways:\n  nginx:\n    kind: none\n    grace: 1ms\n"
)

// stopLimit is how long a worker may take to end in order.
const stopLimit = 25 * time.Second

// withWorker runs a measurement with a new worker of its own, so that its
// memory and time are those of the measurement.
func (b *bench) withWorker(ctx context.Context, args []string, measure func(*harness.Worker) error) error {
	w, err := b.LaunchWorker(ctx, args...)
	if err != nil {
		return err
	}
	return errors.Join(measure(w), b.stopWorker(ctx, w))
}

func (b *bench) stopWorker(ctx context.Context, w *harness.Worker) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
	defer cancel()
	return w.Stop(ctx)
}

// asking are the settings of a worker that asks the gateway.
func asking() []string { return []string{"--gateway", askGateway} }

// notAsking writes the settings of one that does not.
func (b *bench) notAsking(more ...string) ([]string, error) {
	path := b.Sandbox.Dir().Join("sluice-bench.yaml")
	if err := os.WriteFile(path, []byte(noGateway), 0o600); err != nil {
		return nil, fmt.Errorf("writing the worker's settings: %w", err)
	}
	return append([]string{"--config", path}, more...), nil
}

// usage reads what a worker has used since its start.
func (b *bench) usage(ctx context.Context, w *harness.Worker) (meter.Usage, error) {
	all, err := meter.Processes(ctx, b.Sandbox, w.PID())
	return all[w.PID()], err
}
