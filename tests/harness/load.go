package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"sluice.dev/sluice/tests/sandbox"
	"sluice.dev/sluice/tests/sandbox/load"
)

// Path is what the seed's Ingress routes.
const Path = "/version"

// Cohorts of clients: everybody, and those with an Android telephone.
const (
	Everyone = "everyone"
	Android  = "android"
)

// Load is a load client that runs inside the sandbox.
type Load struct {
	*load.Control
	cmd *sandbox.Cmd
}

// LoadOptions say how much is sent.
type LoadOptions struct {
	// Rate of requests a second; 120 where zero.
	Rate float64
	// Duration that bounds the load; 10 minutes where zero.
	Duration time.Duration
	// Gateways that requests are sent to; all where nil.
	Gateways []string
	// Timeout of one request; that of the load client where zero.
	Timeout time.Duration
	// Clients at once; 16 where zero.
	Clients int
	// Host that is asked for; that of the address where empty.
	Host string
	// Slow answers are bad in the account of each version; none where zero.
	Slow time.Duration
}

// StartLoad starts the load client: GET and POST, on kept and on new
// connections, from two cohorts, to every replica of the gateway.
func (b *Bed) StartLoad(ctx context.Context, o LoadOptions) (*Load, error) {
	if o.Rate == 0 {
		o.Rate = 120
	}
	if o.Duration == 0 {
		o.Duration = 10 * time.Minute
	}
	if o.Gateways == nil {
		o.Gateways = b.Sandbox.State().Gateways
	}
	if o.Clients == 0 {
		o.Clients = 16
	}
	if o.Timeout == 0 {
		o.Timeout = load.DefaultTimeout
	}
	socket, err := os.CreateTemp("", "sluice-load-*.sock")
	if err != nil {
		return nil, fmt.Errorf("naming the load client's socket: %w", err)
	}
	path := socket.Name()
	if err := os.Remove(path); err != nil {
		return nil, fmt.Errorf("naming the load client's socket: %w", err)
	}
	args := []string{
		"--control", path, "-o", "json", "--rate", fmt.Sprint(o.Rate), "--duration", o.Duration.String(), "--clients", fmt.Sprint(o.Clients), "--timeout", o.Timeout.String(),
		"--host", o.Host, "--slow", o.Slow.String(), "--cohort", Everyone, "--cohort", Android + ":user-agent=android",
	}
	for _, gateway := range o.Gateways {
		args = append(args, "--url", "http://"+gateway+Path)
	}
	cmd := b.Sandbox.Command(context.WithoutCancel(ctx), b.Programs.Load, args...)
	var problems strings.Builder
	cmd.Stdout, cmd.Stderr = io.Discard, &problems
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the load client: %w", err)
	}
	l := &Load{cmd: cmd}
	err = Await(ctx, "the load client runs", func(context.Context) (bool, error) {
		select {
		case <-cmd.Ended():
			return false, fmt.Errorf("the load client ended: %s", problems.String())
		default:
		}
		var err error
		l.Control, err = load.Dial(path)
		return err == nil, err
	})
	if err != nil {
		return nil, err
	}
	return l, nil
}

// Finish stops the load and returns the account of the whole run.
func (l *Load) Finish(ctx context.Context) (load.Report, error) {
	report, err := l.Stop(ctx)
	if err != nil {
		return load.Report{}, fmt.Errorf("stopping the load client: %w", err)
	}
	l.Close()
	<-l.cmd.Ended()
	return report, nil
}

// AwaitAnswers waits until every replica of the gateway answers with a version,
// several times in a row.
func (b *Bed) AwaitAnswers(ctx context.Context, version string) error {
	return b.AwaitAnswersAt(ctx, "", version)
}

// AwaitAnswersAt does so for a host.
func (b *Bed) AwaitAnswersAt(ctx context.Context, host, version string) error {
	return b.eachGateway(ctx, "answers "+version, func(w load.Window) bool { return w.Versions[version] == asked }, "--host", host)
}

// AwaitPods waits until every replica of the gateway sends requests to n pods.
func (b *Bed) AwaitPods(ctx context.Context, n int) error {
	return b.eachGateway(ctx, fmt.Sprintf("sends to %d pods", n), func(w load.Window) bool { return len(w.Versions) >= n }, "--version-header", "X-Pod")
}

// asked is how many requests each look at a replica of the gateway sends.
const asked = 5

// eachGateway asks every replica of the gateway until its answers are as wanted.
func (b *Bed) eachGateway(ctx context.Context, what string, wanted func(load.Window) bool, args ...string) error {
	for _, gateway := range b.Sandbox.State().Gateways {
		err := Await(ctx, "gateway "+gateway+" "+what, func(ctx context.Context) (bool, error) {
			out, err := b.Sandbox.Command(ctx, b.Programs.Load, append([]string{"--url", "http://" + gateway + Path,
				"--requests", fmt.Sprint(asked), "--duration", "5s", "--clients", "1", "--rate", "50", "-o", "json"}, args...)...).Output()
			if err != nil {
				return false, fmt.Errorf("asking the gateway: %w", err)
			}
			var report load.Report
			if err := json.Unmarshal(out, &report); err != nil {
				return false, fmt.Errorf("reading the load client's report: %w", err)
			}
			return wanted(report.Whole), nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
