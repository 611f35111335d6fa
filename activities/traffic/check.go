package traffic

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/traffic/gateway"
	"sluice.dev/sluice/config"
)

// Checker looks, before anything is written, whether the gateway can do what a
// document asks for.
type Checker struct {
	// Gateways that will have to confirm.
	Gateways *gateway.Gateways
	// Reach says that requests can be sent through the gateway from here. Without
	// it nothing is asked.
	Reach bool
}

// Check is what is looked at.
type Check struct {
	Ref     release.Ref
	Rollout config.Rollout
	// Ingress of the user, and All that the cluster has.
	Ingress *networkingv1.Ingress
	All     []*networkingv1.Ingress
	// Containers of the new revision.
	Containers []corev1.Container
	// Quiet says that no canary route exists, so that stable alone answers.
	Quiet bool
}

// Objection is why a release cannot be made, and what to do about it.
type Objection struct{ Object, Problem, Remedy string }

// Finding is what a Check has found.
type Finding struct {
	// Objections, none of which may remain.
	Objections []Objection
	// Confirm says how changes will be confirmed, for people.
	Confirm string
	// StableAnswer is what stable answers to the probe; nil where it was not asked.
	StableAnswer *string
}

// graceMargin is what the time to confirm must be longer than the graces in it.
const graceMargin = 2 * time.Second

// CheckRoute renders every step, looks for paths that a canary would take
// requests from and for ways to the Service that it would not cover, chooses the
// level of confirmation, and asks stable what it answers to a probe.
func (c Checker) CheckRoute(ctx context.Context, in Check) Finding {
	f := &Finding{}
	class, pinned, probe := in.Ref.Class, in.Ref.Confirm.Level, in.Ref.Confirm.Probe
	level := c.Gateways.Best(class, pinned, probe)
	f.Confirm = c.Gateways.Describe(class, level, probe)
	c.render(f, in, level)
	c.shadows(f, in)
	c.ways(f, in)
	if why := c.Gateways.Available(class, level, probe); why != "" {
		f.object("trafficRoutings[].confirm.level: "+string(pinned), why,
			"leave the level out for the best that there is, or tell the worker of the gateway's Service (--gateway)")
	}
	c.enoughTime(f, in, level)
	if level == gateway.LevelProbe && c.Reach && len(f.Objections) == 0 {
		c.tryProbe(ctx, f, in)
	}
	return *f
}

func (f *Finding) object(object, problem, remedy string) {
	f.Objections = append(f.Objections, Objection{object, problem, remedy})
}

// render makes sure that the gateway can express every route of the rollout.
func (c Checker) render(f *Finding, in Check, level gateway.Level) {
	adapter, err := adapterOf(c.Gateways, in.Ref.Class)
	if err != nil {
		f.object("trafficRoutings[].ingress.classType", err.Error(), "name a class that is supported")
		return
	}
	for i, route := range routesOf(in.Rollout) {
		if level == gateway.LevelProbe {
			route.Nonce = nonce(in.Ref)
		}
		if _, err := adapter.Render(in.Ingress, in.Ref, route); err != nil {
			where := "the last step, to 100 %"
			if i < len(in.Rollout.Steps) {
				where = "step " + strconv.Itoa(i+1)
			}
			f.object(where, err.Error(), "change the step or the Ingress")
		}
	}
}

// routesOf returns the routes of all steps and of the implicit last one.
func routesOf(r config.Rollout) []Route {
	var routes []Route
	for _, step := range r.Steps {
		route := Route{Matches: step.Matches}
		if step.Weight != nil {
			route.Weight = *step.Weight
		}
		routes = append(routes, route)
	}
	return append(routes, Route{Weight: 100})
}

// shadows refuses matches that would take requests from other Services.
func (c Checker) shadows(f *Finding, in Check) {
	seen := map[string]bool{}
	for i, step := range in.Rollout.Steps {
		for _, text := range shadowed(c.Gateways, in.Ref, in.Ingress, step.Matches, in.All) {
			if !seen[text] {
				seen[text] = true
				f.object(fmt.Sprintf("step %d matches", i+1), longestWins+text, shadowRemedy)
			}
		}
	}
}

// What is said about a path that a canary would take requests from.
const (
	longestWins  = "in Traefik the longest rule wins, and that of the canary would be longer: "
	shadowRemedy = "release by weight, shorten the match, or give the other path a rule that is longer"
)

// shadowed says which requests a canary with matches would take from paths of
// other Services, of those Ingresses that the same gateway reads.
func shadowed(gateways *gateway.Gateways, ref release.Ref, base *networkingv1.Ingress, matches []config.Match, all []*networkingv1.Ingress) []string {
	if gateways == nil || gateways.Kind(ref.Class) != gateway.KindTraefik {
		return nil
	}
	class := kube.ClassOf(base)
	sameClass := slices.DeleteFunc(slices.Clone(all), func(other *networkingv1.Ingress) bool {
		return kube.ClassOf(other) != class
	})
	var texts []string
	for _, shadow := range gateway.Shadowed(base, ref.Service, matches, sameClass) {
		texts = append(texts, shadow.String())
	}
	return texts
}

// enoughTime refuses a time to confirm in which a route that follows one which was
// not confirmed could never be: every retry would fail as the first try did. There
// the state of a removal, or of a route by header, proves nothing before a grace is
// over, and where no state is read, one more is waited before the route is written,
// for pods that may be new.
func (c Checker) enoughTime(f *Finding, in Check, level gateway.Level) {
	grace, limit := c.Gateways.Grace(in.Ref.Class), in.Rollout.Traffic.ConfirmTimeout.Std()
	longest := grace
	if level != gateway.LevelState {
		longest += grace
	}
	if limit == 0 || limit >= longest+graceMargin {
		return
	}
	f.object("trafficRoutings[].confirmTimeout", fmt.Sprintf("%s is over before the gateway has certainly taken a change that follows an unconfirmed one, after %s", limit, longest),
		fmt.Sprintf("write at least %s", longest+graceMargin))
}

// tryProbe asks stable, which must answer, and not as canary would.
func (c Checker) tryProbe(ctx context.Context, f *Finding, in Check) {
	probe := *in.Ref.Confirm.Probe
	object, correct := "the probe of "+probe.String(), "correct trafficRoutings[].confirm.probe (annotation sluice.dev/probe), or leave it out"
	expected := probe.Expand(tagsOf(in.Containers), []string{in.Ref.CanaryDeployment()})
	if probe.Expects() != "" && slices.Contains(expected, "") {
		f.object(object, fmt.Sprintf("%q is empty: the new image has no tag", probe.Expects()), correct)
		return
	}
	if !in.Quiet {
		return
	}
	answers, err := c.Gateways.Ask(ctx, in.Ref.Class, doorOf(in.Ingress, in.Ref))
	if err != nil {
		f.object(object, err.Error(), correct)
		return
	}
	if probe.Metrics {
		if err := c.Gateways.Counts(ctx, in.Ref.Class, wantOf(in.Ingress, in.Ref)); err != nil {
			f.object(object, err.Error(), correct)
		}
		return
	}
	for i, answer := range answers {
		value, err := valueOf(probe, answer)
		switch {
		case err != nil:
			f.object(object, "stable "+err.Error(), correct)
			return
		case matches(probe, value, expected):
			f.object(object, fmt.Sprintf("stable answers %q already, as canary is expected to", value), correct)
			return
		case probe.Expects() == "" && i > 0 && value != *f.StableAnswer:
			f.object(object, fmt.Sprintf("stable's own answers differ: %q and %q", *f.StableAnswer, value), "name a header or a field that only the revision changes, or say what canary answers")
			return
		}
		f.StableAnswer = &value
	}
}
