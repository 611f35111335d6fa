package traffic

import (
	"context"
	"strings"
	"time"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/traffic/gateway"
)

// Settle is how long the published endpoints of a side have to stay the same
// before they count, where the gateway's own list of them is read: what the
// endpoint controller does within one pod's start has to be over.
const Settle = 250 * time.Millisecond

// confirmer confirms a change as gateway.Gateways do.
type confirmer func(ctx context.Context, class string, want gateway.Want, tell gateway.Tell) (gateway.Result, error)

// backed confirms a change that wants exactly the ready endpoints of canary behind
// the route. Meanwhile it waits until these have settled, as they are published
// after the write. Where others have come meanwhile it does both again, so that
// what the gateway has is what has settled.
func (a *Activities) backed(ref release.Ref) confirmer {
	return func(ctx context.Context, class string, want gateway.Want, tell gateway.Tell) (gateway.Result, error) {
		for {
			settled := make(chan settling, 1)
			go func() { settled <- a.settle(ctx, ref) }()
			result, err := a.Gateways.Confirm(ctx, class, want, tell)
			if err != nil {
				return result, err //nolint:wrapcheck // failure does it
			}
			confirmed := time.Now()
			s := <-settled
			if s.err != nil || !s.since.After(confirmed) && s.mark == a.endpoints(ref) {
				return result, s.err
			}
		}
	}
}

// settling is which endpoints have settled, and since when they are there; or why
// none have.
type settling struct {
	mark  string
	since time.Time
	err   error
}

// endpoints tells the ready endpoints of canary apart from any others.
func (a *Activities) endpoints(ref release.Ref) string {
	return strings.Join(gateway.ReadyIdentities(a.Cluster.SlicesOf(ref.Namespace, ref.CanaryService())), " ")
}

// settle waits until the ready endpoints of canary have been the same for a while,
// none if there are none.
func (a *Activities) settle(ctx context.Context, ref release.Ref) settling {
	var s settling
	// The heartbeats are those of the confirmation.
	wait := kube.Wait{Namespace: ref.Namespace, Topics: []kube.Topic{kube.AboutService(ref.CanaryService())}, Settle: Settle}
	s.err = a.Cluster.AwaitState(ctx, wait, func() (kube.State, error) {
		if mark := a.endpoints(ref); mark != s.mark || s.since.IsZero() {
			s.mark, s.since = mark, time.Now()
		}
		return kube.State{Done: true, Mark: s.mark}, nil
	})
	return s
}
