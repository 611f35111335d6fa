// Package bench measures Sluice on a sandbox of real parts: how fast decisions
// reach the gateway, what a rollout costs the API server and Temporal, and what
// many rollouts at once need. Its figures stand next to their targets and to
// those of its peers.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"k8s.io/client-go/kubernetes"

	"sluice.dev/sluice/starter/control"
	"sluice.dev/sluice/tests/bench/meter"
	"sluice.dev/sluice/tests/bench/report"
	"sluice.dev/sluice/tests/harness"
)

// measurement is one case: it notes figures of its own in the report.
type measurement struct {
	name string
	// about says in a few words what is measured.
	about string
	// limit bounds it.
	limit time.Duration
	run   func(context.Context, *bench) error
}

// measurements in the order in which they are made.
var measurements = []measurement{
	{"first-weight", "image change to first weight", 10 * time.Minute, measureFirstWeight},
	{"promote", "promote to a changed weight", 10 * time.Minute, measurePromote},
	{"abort", "abort to weight 0", 10 * time.Minute, measureAbort},
	{"abort-client", "abort to answers without the new version", 20 * time.Minute, measureAbortClient},
	{"seed", "the seed's whole rollout, its requests and events", 10 * time.Minute, measureSeed},
	{"levels", "the seed's rollout with each level of confirmation", 40 * time.Minute, measureLevels},
	{"mass", "many rollouts at once, confirmed by the gateway", 15 * time.Minute, measureMass},
	{"mass-grace", "the same, without asking the gateway", 15 * time.Minute, measureMassGrace},
	{"held", "many held rollouts", 30 * time.Minute, measureHeld},
	{"bypass", "image changes held by the webhook", 15 * time.Minute, measureBypass},
	{"bypass-slips", "image changes while the webhook is away", 15 * time.Minute, measureSlips},
	{"bypass-rest", "many Rollouts at rest", 40 * time.Minute, measureRest},
	{"restart", "the worker is killed with rollouts under way", 15 * time.Minute, measureRestart},
}

// Names returns the names of all measurements.
func Names() []string {
	var names []string
	for _, m := range measurements {
		names = append(names, m.name)
	}
	return names
}

// Options of a run.
type Options struct {
	// Only names the measurements to make; all where empty.
	Only []string
	// Sizes of the measurements.
	Sizes Sizes
	// Quick marks the report as one of small counts.
	Quick bool
	// Progress is told what happens, in lines.
	Progress io.Writer
}

// Validate returns an error that names a measurement that does not exist.
func (o Options) Validate() error {
	for _, name := range o.Only {
		if !slices.Contains(Names(), name) {
			return fmt.Errorf("--only %s: there is no such measurement: choose from %s", name, strings.Join(Names(), ", "))
		}
	}
	return nil
}

func (o Options) wants(name string) bool { return len(o.Only) == 0 || slices.Contains(o.Only, name) }

// bench is what all measurements share.
type bench struct {
	*harness.Bed
	Sizes
	// kube has a smaller encoding than that of the bed, so that the benchmark
	// itself takes less of the machine.
	kube     kubernetes.Interface
	control  *control.Client
	audit    meter.Audit
	report   *report.Report
	progress io.Writer
	begun    time.Time
	// present names the measurement that is being made.
	present string
	// busy tells how busy the machine was before each.
	busy [][]string
}

// Run makes the measurements on a sandbox that has an audit log and fake nodes.
// A measurement that fails is noted in the report, and the others are made; the
// error names all that failed.
func Run(ctx context.Context, bed *harness.Bed, o Options) (*report.Report, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	b, err := newBench(ctx, bed, o)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, m := range measurements {
		if !o.wants(m.name) {
			continue
		}
		b.present = m.name
		if err := b.measure(ctx, m); err != nil {
			b.report.Fail(m.name, err)
			errs = append(errs, fmt.Errorf("measuring %s: %w", m.name, err))
			b.say("failed: %v", err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	b.present = "machine"
	b.detail("how busy it was before each measurement", []string{"measurement", "machine"}, b.busy)
	return b.report, errors.Join(errs...)
}

func newBench(ctx context.Context, bed *harness.Bed, o Options) (*bench, error) {
	config, err := bed.Sandbox.RESTConfig()
	if err != nil {
		return nil, err
	}
	config.ContentType = "application/vnd.kubernetes.protobuf"
	config.UserAgent = "sluice-bench"
	kube, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("making the API client: %w", err)
	}
	machine, err := meter.Look()
	if err != nil {
		return nil, err
	}
	b := &bench{
		Bed: bed, Sizes: o.Sizes, kube: kube, progress: o.Progress, begun: time.Now(),
		control: control.New(bed.Temporal, control.Options{Namespace: temporalNamespace}),
		audit:   meter.Audit{Path: bed.Sandbox.Dir().Log("audit")},
		report:  &report.Report{Date: time.Now(), Quick: o.Quick, Machine: machine, Settings: o.Sizes.describe()},
	}
	b.report.Version, err = b.version(ctx)
	return b, err
}

// measure makes one measurement within its limit.
func (b *bench) measure(ctx context.Context, m measurement) error {
	ctx, cancel := context.WithTimeout(ctx, m.limit)
	defer cancel()
	machine, err := meter.Look()
	if err != nil {
		return err
	}
	b.say("%s (%s)", m.about, machine)
	b.busy = append(b.busy, []string{m.name, machine.String()})
	return m.run(ctx, b)
}

// say tells what happens.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.progress, "%6.1fs %s: %s\n", time.Since(b.begun).Seconds(), b.present, fmt.Sprintf(format, args...))
}

// version of the product.
func (b *bench) version(ctx context.Context) (string, error) {
	out, err := b.Sluice(ctx, "default", "version")
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(strings.TrimPrefix(out.Stdout, "sluice ")), nil
}

// detail adds a table that explains the figures of the present measurement.
func (b *bench) detail(title string, header []string, lines [][]string) {
	b.report.Details = append(b.report.Details, report.Detail{Case: b.present, Title: title, Header: header, Lines: lines})
}

// pause waits, unless ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
