package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"k8s.io/client-go/kubernetes"

	"sluice.dev/sluice/tests/sandbox"
	"sluice.dev/sluice/workflows"
)

// SearchAttributes are what `sluice bootstrap` registers, for a sandbox that has
// them from the start.
var SearchAttributes = []string{
	"SluiceWorkload=Keyword", "SluiceNamespace=Keyword", "SluiceCluster=Keyword",
	"SluicePhase=Keyword", "SluiceRevision=Keyword", "SluiceStep=Int",
}

// Bed is a sandbox with the programs and clients that drive it.
type Bed struct {
	Sandbox  *sandbox.Sandbox
	Programs Programs
	Kube     kubernetes.Interface
	Temporal client.Client
}

// NewBed connects to a sandbox that runs.
func NewBed(ctx context.Context, s *sandbox.Sandbox, programs Programs) (*Bed, error) {
	kube, err := s.Kube()
	if err != nil {
		return nil, err
	}
	temporal, err := client.NewLazyClient(client.Options{HostPort: s.State().Outside.Temporal, Logger: sdklog.NewStructuredLogger(quiet())})
	if err != nil {
		return nil, fmt.Errorf("connecting to the sandbox's Temporal: %w", err)
	}
	return &Bed{Sandbox: s, Programs: programs, Kube: kube, Temporal: temporal}, nil
}

// Close ends the connections.
func (b *Bed) Close() { b.Temporal.Close() }

// Output is what a command has printed, and its exit code.
type Output struct {
	Stdout, Stderr string
	Code           int
}

// Sluice runs the command line tool outside the sandbox, as a CI job would. Its
// error says that it could not be run; its exit code is in the output.
func (b *Bed) Sluice(ctx context.Context, namespace string, args ...string) (Output, error) {
	return outputOf(b.SluiceCommand(ctx, namespace, args...))
}

// outputOf runs a command.
func outputOf(cmd *exec.Cmd) (Output, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	out := Output{Stdout: stdout.String(), Stderr: stderr.String()}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		out.Code = exit.ExitCode()
		err = nil
	}
	if err != nil {
		return out, fmt.Errorf("running %v: %w", cmd.Args, err)
	}
	return out, nil
}

// SluiceCommand prepares the command line tool for a run outside the sandbox.
func (b *Bed) SluiceCommand(ctx context.Context, namespace string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, b.Programs.Sluice, args...)
	cmd.Env = append(os.Environ(),
		"KUBECONFIG="+b.Sandbox.Dir().Kubeconfig(),
		"TEMPORAL_ADDRESS="+b.Sandbox.State().Outside.Temporal,
		"SLUICE_NAMESPACE="+namespace,
	)
	return cmd
}

// Status asks the workflow of the seed's Deployment in a namespace.
func (b *Bed) Status(ctx context.Context, namespace string) (workflows.Status, error) {
	var s workflows.Status
	value, err := b.Temporal.QueryWorkflow(ctx, DemoWorkflow(namespace), "", workflows.StatusQuery)
	if err != nil {
		return s, fmt.Errorf("querying the rollout: %w", err)
	}
	return s, value.Get(&s)
}

// poll is how often a condition is looked at; it bounds no measurement.
const poll = 50 * time.Millisecond

// Await looks until a condition holds; errors on the way are tried again.
func Await(ctx context.Context, what string, condition func(context.Context) (bool, error)) error {
	var last error
	for {
		ok, err := condition(ctx)
		if ok && err == nil {
			return nil
		}
		if err != nil && ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("waiting until %s: %w", what, ctx.Err()), last)
		case <-time.After(poll):
		}
	}
}
