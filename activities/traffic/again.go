package traffic

import (
	"context"
	"errors"

	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/activities/kube"
)

// errAgain ends the wait for gateways to forget a canary Ingress that is there
// again.
var errAgain = errors.New("the canary Ingress is there again")

// whileGone returns a context that ends as soon as there is another canary Ingress
// than the one that was removed. Nothing keeps the API server from creating one
// late, for an operation whose answer had not come in time: a gateway would never
// forget it, and whoever waits for that would wait for ever.
func (a *Activities) whileGone(ctx context.Context, change *change) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	ref := change.req.Ref
	look := func() {
		if live := canaryOf(a.Cluster, ref); live != nil && live.UID != change.removed() {
			cancel(errAgain)
		}
	}
	forget := a.Cluster.Follow(ref.Namespace, []kube.Topic{kube.AboutIngress(ref.CanaryIngress())}, look)
	look() // it may have come before
	return ctx, func() { forget(); cancel(nil) }
}

// removed is the UID of the canary Ingress that the change has found, which the
// cache may have for a while longer than there is one.
func (c *change) removed() types.UID {
	if c.live == nil {
		return ""
	}
	return c.live.UID
}
