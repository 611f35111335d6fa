package traffic

import (
	"context"
	"fmt"
	"maps"
	"strconv"

	networkingv1 "k8s.io/api/networking/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/traffic/gateway"
	"sluice.dev/sluice/config"
)

// change is one write of the canary Ingress, decided on but not made.
type change struct {
	req     RouteRequest
	adapter Adapter
	// base is the user's Ingress, nil if it is gone.
	base *networkingv1.Ingress
	// live is the canary Ingress as the cache has it, nil if it has none.
	live *networkingv1.Ingress
	// rendered is what the canary Ingress would be if it were made new; nil where
	// base is gone or has nothing to route any more.
	rendered *networkingv1.Ingress
	// probing says that the route carries the header of a probe.
	probing bool
	// before are the routes that may be in force until this one is confirmed.
	before []earlier
	// version of the canary Ingress that was written.
	version string
	// err of apply.
	err error
}

// plan decides what to write. A route that sends requests to canary needs the
// user's Ingress and has to be expressible; the way back needs neither.
func (a *Activities) plan(ctx context.Context, adapter Adapter, req RouteRequest) (*change, error) {
	ref := req.Ref
	c := &change{req: req, adapter: adapter, probing: a.probing(ref)}
	if (c.probing || a.doubtful(req)) && !req.Absent {
		c.req.Route.Nonce = nonce(ref)
		req = c.req
	}
	var err error
	if c.base, err = a.ingress(ctx, ref); err != nil {
		return nil, err
	}
	if live, err := a.Cluster.Ingresses(ref.Namespace).Get(ref.CanaryIngress()); err == nil {
		c.live = live
	}
	if req.Absent {
		c.before = c.earlierOf(c.live)
		return c, nil
	}
	if c.base != nil {
		c.rendered, err = adapter.Render(c.base, ref, req.Route)
	} else {
		err = kube.Terminal(kube.ErrNotFound, "reading Ingress %s/%s: it does not exist: restore it or abort the rollout", ref.Namespace, ref.Ingress)
	}
	if err == nil {
		err = a.unshadowed(ref, c.base, req.Route)
	}
	if err != nil && (!c.back() || c.live == nil) {
		return nil, err
	}
	return c, nil
}

// unshadowed refuses a route that would take requests from another path: there
// may be one that was not there when the rollout was checked.
func (a *Activities) unshadowed(ref release.Ref, base *networkingv1.Ingress, route Route) error {
	if len(route.Matches) == 0 {
		return nil
	}
	all, err := a.Cluster.Ingresses(metav1.NamespaceAll).List(labels.Everything())
	if err != nil {
		return fmt.Errorf("listing Ingresses: %w", err)
	}
	if texts := shadowed(a.Gateways, ref, base, route.Matches, all); len(texts) > 0 {
		return &UnsupportedError{Class: ref.Class, Field: "matches", Reason: "cannot be routed: " + longestWins + texts[0] + ": " + shadowRemedy}
	}
	return nil
}

// back reports whether the route sends no ordinary request to canary.
func (c *change) back() bool { return c.req.Route.Weight == 0 && len(c.req.Route.Matches) == 0 }

// raises reports whether requests are to go to canary that the live route keeps
// from it.
func (c *change) raises() bool {
	live, err := c.adapter.Decode(c.live)
	wanted := c.req.Route
	return err != nil || wanted.Weight > live.Weight || len(wanted.Matches) > 0 && !apiequality.Semantic.DeepEqual(wanted.Matches, live.Matches)
}

// same reports whether the canary Ingress is as wanted, whoever wrote it.
func (c *change) same() bool {
	if c.live == nil || c.req.Absent {
		return false
	}
	next := c.live.DeepCopy()
	c.apply(next)
	next.Annotations[release.AnnotationSeq] = c.live.Annotations[release.AnnotationSeq]
	return c.err == nil && apiequality.Semantic.DeepEqual(next, c.live)
}

// written reports whether an earlier attempt of this operation has made the
// write.
func (c *change) written() bool {
	return c.same() && c.live.Annotations[release.AnnotationSeq] == strconv.FormatInt(c.req.Ref.Seq, 10)
}

// apply makes an Ingress, new or live, what is wanted. Of one that is live only
// what is ours is changed.
func (c *change) apply(ingress *networkingv1.Ingress) {
	if ingress.ResourceVersion == "" && c.rendered != nil {
		c.before = nil
		c.rendered.DeepCopyInto(ingress)
		return
	}
	c.before = c.earlierOf(ingress)
	next, err := c.adapter.Reroute(ingress, c.req.Ref, c.req.Route)
	if err != nil {
		c.err = err
		return
	}
	if c.rendered != nil {
		// The user's Ingress may have got other paths since.
		next.Spec = *c.rendered.Spec.DeepCopy()
		delete(next.Annotations, kube.AnnotationClass)
		maps.Copy(next.Annotations, c.rendered.Annotations)
	}
	c.mark(next)
	next.DeepCopyInto(ingress)
}

// want is what the gateway shall do after the write.
func (c *change) want() gateway.Want {
	want := wantOf(c.base, c.req.Ref)
	want.Level = c.req.Ref.Confirm.Level
	want.Weight, want.Matches, want.Absent = c.req.Route.Weight, c.req.Route.Matches, c.req.Absent
	want.Unsure = c.req.Unsure
	if header := headerOf(c.req.Route); header.Name == config.ProbeHeader {
		want.Nonce = header.Value
	}
	// The route that is guarded and sends no request makes the canary known.
	want.Backed = c.req.NeedCanary > 0 && c.back() && !c.req.Absent
	return want
}

// wantOf names what the gateway makes of the user's Ingress; nothing if that is
// gone.
func wantOf(base *networkingv1.Ingress, ref release.Ref) gateway.Want {
	want := gateway.Want{Namespace: ref.Namespace, Ingress: ref.Ingress, Service: ref.Service, CanaryService: ref.CanaryService()}
	if base != nil {
		want.Backends = gateway.BackendsOf(base, ref.Service)
		want.Indirect = base.Annotations[nginxServiceUpstream] == "true"
	}
	return want
}
