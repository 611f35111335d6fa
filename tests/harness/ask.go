package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"sluice.dev/sluice/tests/sandbox"
	"sluice.dev/sluice/tests/sandbox/load"
)

// exitLost is the code of a load client that was not answered with 2xx.
const exitLost = 3

// AskWorker returns the HTTP status with which a worker inside answers on a path.
func (b *Bed) AskWorker(ctx context.Context, address, path string) (int, error) {
	out, err := b.Sandbox.Command(ctx, b.Programs.Load, "--url", "http://"+address+path,
		"--requests", "1", "--post", "0", "--duration", "2s", "--clients", "1", "-o", "json").Output()
	var exit *sandbox.ExitError
	if err != nil && !(errors.As(err, &exit) && exit.Code == exitLost) {
		return 0, fmt.Errorf("asking the worker at %s: %w", address, err)
	}
	var report load.Report
	if err := json.Unmarshal(out, &report); err != nil {
		return 0, fmt.Errorf("reading the load client's report: %w", err)
	}
	for status := range report.Whole.Statuses {
		return status, nil
	}
	return 0, fmt.Errorf("the worker at %s does not answer: %v", address, report.Whole.Errors)
}
