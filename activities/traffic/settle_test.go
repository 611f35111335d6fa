package traffic

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/activities/kube/kubetest"
)

// TestFirstRouteWaitsUntilEndpointsSettle confirms the route of weight 0 of a new
// canary. The gateway takes it after a lag, and follows endpoints at once.
func TestFirstRouteWaitsUntilEndpointsSettle(t *testing.T) {
	const dwell = 100 * time.Millisecond
	for name, c := range map[string]struct {
		lag time.Duration
		// changed is when another pod takes the place of the first; never if zero.
		changed time.Duration
		need    int
		want    time.Duration
	}{
		"a gateway that is quick":         {0, 0, 1, Settle},
		"one that takes longer":           {time.Second, 0, 1, time.Second + dwell},
		"endpoints that change":           {0, 200 * time.Millisecond, 1, 200*time.Millisecond + 2*Settle},
		"and as the gateway confirms":     {time.Second, time.Second, 1, time.Second + dwell + Settle},
		"a route that is not of a canary": {0, 0, 0, dwell},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, kubetest.Ingress())
				f.gateway.lag = c.lag
				if c.changed > 0 {
					time.AfterFunc(c.changed, func() {
						f.gateway.canary = "10.1.0.8"
						f.server.Put(slice(kubetest.Namespace, "demo-canary", "10.1.0.8"))
					})
				}
				req := request(3, 0)
				req.NeedCanary = c.need
				begun := time.Now()
				_, err := f.set(req)
				require.NoError(t, err)
				require.GreaterOrEqual(t, time.Since(begun), c.want)
				require.Less(t, time.Since(begun), c.want+dwell)
			})
		})
	}
}
