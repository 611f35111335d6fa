package traffic

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/traffic/gateway"
)

// Activities change routes. Every exported method is an activity.
type Activities struct {
	// Cluster whose Ingresses are written.
	Cluster *kube.Cluster
	// Gateways that have to take a change.
	Gateways *gateway.Gateways
}

// SetRoute makes the route of the canary Ingress what is asked, by one write,
// and returns when every replica of the gateway has taken it. Before the write
// it waits until the endpoints that the route needs are published. Repeated, it
// finds the write done and confirms again. Errors that a retry cannot cure:
// Unsupported, NotFound, Superseded, Drift, Scaled.
func (a *Activities) SetRoute(ctx context.Context, req RouteRequest) (Confirmation, error) {
	return a.setRoute(ctx, req, lastTrail(ctx))
}

// setRoute does so with what an earlier attempt has left.
func (a *Activities) setRoute(ctx context.Context, req RouteRequest, left trail) (Confirmation, error) {
	ctx, cancel := working(ctx)
	defer cancel()
	adapter, err := adapterOf(a.Gateways, req.Ref.Class)
	if err != nil {
		return Confirmation{}, failure(err, req.Ref)
	}
	for {
		out, err := a.setOnce(ctx, adapter, req, &left)
		if !errors.Is(err, errAgain) {
			return out, err
		}
	}
}

// setOnce writes the route and confirms it. Where the canary Ingress is there again
// after it was removed, it adds what was in force before to what is left, and
// returns errAgain.
func (a *Activities) setOnce(ctx context.Context, adapter Adapter, req RouteRequest, left *trail) (Confirmation, error) {
	change, err := a.plan(ctx, adapter, req)
	if err != nil {
		return Confirmation{}, failure(err, req.Ref)
	}
	if req.Absent {
		change.before = together(left.Before, change.before)
	}
	if !change.written() {
		if err := a.ready(ctx, change, *left); err != nil {
			return Confirmation{}, failure(err, req.Ref)
		}
	}
	out, err := a.write(ctx, change)
	if err != nil {
		return Confirmation{}, failure(err, req.Ref)
	}
	if !change.req.Absent {
		return a.confirm(ctx, change, *left, out)
	}
	gone, stop := a.whileGone(ctx, change)
	defer stop()
	out, err = a.confirm(gone, change, *left, out)
	if ctx.Err() == nil && errors.Is(context.Cause(gone), errAgain) {
		left.Before = change.before
		return Confirmation{}, errAgain
	}
	return out, err
}

// ConfirmEndpoints returns when the gateway serves exactly the ready pods of the
// user's Service.
func (a *Activities) ConfirmEndpoints(ctx context.Context, req EndpointsRequest) (Confirmation, error) {
	return Endpoints{Cluster: a.Cluster, Gateways: a.Gateways}.confirm(ctx, req.Ref)
}

// write brings the canary Ingress to the wanted state. A route is created only
// while the rollout is open: one that comes late must not stay behind. The way
// back needs none where there is none.
func (a *Activities) write(ctx context.Context, change *change) (Confirmation, error) {
	ref := change.req.Ref
	out := Confirmation{Drift: a.drift(ctx, change)}
	if change.live == nil && !change.req.Absent {
		if _, err := a.Cluster.OpenWorkload(ctx, ref); err != nil && !change.back() {
			return out, err
		} else if err != nil {
			change.req.Absent = true
		}
	}
	if change.req.Absent {
		teller(ctx, trail{Before: change.before})("removing the canary route", 0)
		var err error
		out.Wrote, err = a.Cluster.RemoveIngress(ctx, ref, ref.CanaryIngress())
		out.Carried = slices.ContainsFunc(change.before, earlier.carried)
		return out, err
	}
	// The fence is renewed even where the route is as asked: an earlier operation
	// that is still under way somewhere must not win.
	same := change.same()
	written, wrote, err := a.Cluster.EnsureIngress(ctx, ref, ref.CanaryIngress(), kube.Own{Fence: true}, change.apply)
	if err == nil {
		err = change.err
	}
	change.version = versionOf(written)
	out.Wrote = wrote && !same
	return out, err
}

// confirm waits for the gateway and completes the Confirmation. What an attempt
// before this one has waited counts as far as it is proven and nothing has been
// written since.
func (a *Activities) confirm(ctx context.Context, change *change, left trail, out Confirmation) (Confirmation, error) {
	begun := time.Now()
	want := change.want()
	want.Probe = a.probe(change)
	next := trail{Version: change.version}
	if change.req.Absent {
		next.Before = change.before
	} else if left.Version == change.version && !out.Wrote {
		want.Waited = left.Waited
	}
	result, err := a.Gateways.Confirm(ctx, change.req.Ref.Class, want, teller(ctx, next))
	if err != nil {
		return Confirmation{}, failure(err, change.req.Ref)
	}
	out.Level, out.Gateways, out.Expected, out.Note = result.Level, result.Replicas, result.Replicas, result.Note
	out.Counted = result.Level == LevelProbe && want.Probe.Counted
	out.Millis = time.Since(begun).Milliseconds()
	return out, nil
}

// ready returns when the route may be written: its endpoints are published, and the
// gateway has those of canary where they have not been there all the time. That may
// take long, so that what it waited for first is looked at again.
func (a *Activities) ready(ctx context.Context, change *change, left trail) error {
	// Whoever has waited for pods before has not written, and may not have waited
	// for the gateway: what is there now may be what has replaced lost ones.
	again := left.Again || change.req.Again
	for {
		missing, err := a.guard(ctx, change.req)
		if err != nil || change.back() || change.live == nil || !missing && !(again && change.raises()) {
			return err
		}
		if err := a.known(ctx, change); err != nil {
			return err
		}
		again = false
	}
}

// guard waits for the endpoints without which the route must not be written, as
// long as the workload has the size that they were computed for. It reports whether
// some of canary were missing in the beginning.
func (a *Activities) guard(ctx context.Context, req RouteRequest) (missing bool, err error) {
	if req.NeedCanary <= 0 && req.NeedStable <= 0 {
		return false, nil
	}
	ref := req.Ref
	var progress string
	wait := kube.Wait{
		Namespace: ref.Namespace,
		Topics:    []kube.Topic{kube.AboutService(ref.Service), kube.AboutService(ref.CanaryService()), kube.AboutWorkload(ref.Workload.Name)},
		Beat:      kube.Beat(ctx),
	}
	err = a.Cluster.AwaitState(ctx, wait, func() (kube.State, error) {
		d, err := a.Cluster.Deployments(ref.Namespace).Get(ref.Workload.Name)
		if err == nil && req.Size > 0 && kube.SizeOf(d) != req.Size {
			if err := a.Cluster.ExpectSize(ctx, ref, req.Size); err != nil {
				return kube.State{}, err
			}
		}
		canary := gateway.ReadyEndpoints(a.Cluster.SlicesOf(ref.Namespace, ref.CanaryService()))
		stable := gateway.ReadyEndpoints(a.Cluster.SlicesOf(ref.Namespace, ref.Service))
		missing = missing || canary < req.NeedCanary
		progress = fmt.Sprintf("%d of %d canary endpoints and %d of %d stable endpoints are ready", canary, req.NeedCanary, stable, req.NeedStable)
		if err == nil && stable < req.NeedStable {
			progress += tooFew(d, req.NeedStable)
		}
		return kube.State{Done: canary >= req.NeedCanary && stable >= req.NeedStable, Progress: progress}, nil
	})
	if err != nil {
		return missing, &unready{progress: progress, cause: err}
	}
	if req.Size > 0 {
		err = a.Cluster.ExpectSize(ctx, ref, req.Size)
	}
	return missing, err //nolint:wrapcheck // failure does it
}

// tooFew says what to do where the workload has been scaled so far down that the
// endpoints which are waited for cannot come.
func tooFew(d *appsv1.Deployment, need int) string {
	size := kube.SizeOf(d)
	if size >= need {
		return ""
	}
	return fmt.Sprintf("; Deployment %s/%s asks for %d pods only: scale it to %d or more, or abort", d.Namespace, d.Name, size, need)
}

// known waits until the gateway has the endpoints of canary. It has had others,
// which were lost since they were confirmed, and would send requests there.
func (a *Activities) known(ctx context.Context, change *change) error {
	want := wantOf(change.base, change.req.Ref)
	want.CanaryServers, want.Level = true, change.req.Ref.Confirm.Level
	_, err := a.Gateways.Confirm(ctx, change.req.Ref.Class, want, teller(ctx, trail{}))
	return err //nolint:wrapcheck // failure does it
}

// ingress reads the user's Ingress: from the cache, and from the API server
// where the cache does not know it. Nil says that there is none.
func (a *Activities) ingress(ctx context.Context, ref release.Ref) (*networkingv1.Ingress, error) {
	found, err := a.Cluster.Ingresses(ref.Namespace).Get(ref.Ingress)
	if apierrors.IsNotFound(err) {
		found, err = a.Cluster.Client().NetworkingV1().Ingresses(ref.Namespace).Get(ctx, ref.Ingress, metav1.GetOptions{})
	}
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, kube.Failure(err, fmt.Sprintf("reading Ingress %s/%s", ref.Namespace, ref.Ingress))
	}
	return found, nil
}
