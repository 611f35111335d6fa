package cli

import (
	"context"
	"io"
	"iter"
	"time"

	"github.com/spf13/pflag"

	"sluice.dev/sluice/activities/analysis"
	"sluice.dev/sluice/activities/preflight"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/starter/control"
	"sluice.dev/sluice/workflows"
)

// Host is everything that a command gets from outside.
type Host struct {
	In       io.Reader
	Out, Err io.Writer
	// Env looks up an environment variable.
	Env func(name string) (string, bool)
	// Now is the clock.
	Now func() time.Time
	// Tick returns a channel that ticks at an interval until stop is called; the
	// terminal's view is redrawn by it.
	Tick func(interval time.Duration) (ticks <-chan time.Time, stop func())
	// Terminal returns the size of the terminal that Out is; ok is false where
	// Out is a file or a pipe.
	Terminal func() (width, height int, ok bool)
	// User is the user and the host of the process, as user@host.
	User func() string
	// Program is the name of the binary; kubectl runs it as kubectl-sluice.
	Program string
	// Version of the binary.
	Version string
	Backend Backend
	// Remains reads what lost rollouts have left.
	Remains Remains
	// Metrics measures without a worker.
	Metrics Metrics
}

// Metrics makes what measures from the settings.
type Metrics interface {
	// Measurer returns what reads the metrics of a document, and the document with
	// those filled in that are described in ConfigMaps. The cluster is asked only
	// where the document needs it.
	Measurer(ctx context.Context, flags *pflag.FlagSet, doc config.Rollout) (*analysis.Activities, config.Rollout, error)
	// Templates returns the document with those filled in, for a plan: from
	// manifests where there are any, otherwise from the cluster. Where they cannot
	// be read the warnings say so.
	Templates(ctx context.Context, flags *pflag.FlagSet, manifests []byte, doc config.Rollout) (config.Rollout, []string, error)
}

// Backend makes what commands need from the settings.
type Backend interface {
	// Scope says which cluster and namespace are meant.
	Scope(flags *pflag.FlagSet) (Scope, error)
	// Control connects to Temporal.
	Control(ctx context.Context, flags *pflag.FlagSet) (Control, error)
	// Inspect runs the preflight, which only reads, against the live cluster, or
	// against manifests where there are any.
	Inspect(ctx context.Context, flags *pflag.FlagSet, manifests []byte, request preflight.InspectRequest) (preflight.Observed, error)
}

// Scope is where names are looked for.
type Scope struct {
	Cluster   string
	Namespace string
	// Given says that the namespace was named by flag, variable or file, and not
	// taken from the kubeconfig.
	Given bool
}

// Control is the part of control.Client that commands use.
type Control interface {
	Start(ctx context.Context, in workflows.Input, opts control.StartOptions) (control.Run, error)
	Input(ctx context.Context, run control.Run) (workflows.Input, error)
	Send(ctx context.Context, id string, verb workflows.Verb, m workflows.Message, opts control.SendOptions) (workflows.Answer, error)
	Status(ctx context.Context, id string) (control.Status, error)
	Watch(ctx context.Context, id string) iter.Seq2[control.Status, error]
	List(ctx context.Context, filter control.Filter) ([]control.Row, error)
	History(ctx context.Context, id string, limit int) ([]control.Past, error)
	Bootstrap(ctx context.Context, retention time.Duration) ([]control.Prepared, error)
	Close()
}

var _ Control = (*control.Client)(nil)
