package traffic

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.temporal.io/sdk/activity"
	networkingv1 "k8s.io/api/networking/v1"

	"sluice.dev/sluice/activities/traffic/gateway"
)

// trail is what an attempt leaves to the next one in its heartbeats, beside the
// progress for people. What is in it is proven: it was so before the heartbeat
// was sent.
type trail struct {
	// Version of the canary Ingress that was waited for, and how long of a grace
	// was over. Whoever finds another version begins the wait again.
	Version string        `json:"version,omitempty"`
	Waited  time.Duration `json:"waited,omitempty"`
	// Before is what was known of the routes before one that is removed, which
	// takes it with it.
	Before []earlier `json:"before,omitempty"`
	// Again says that there was an attempt before this one, whatever it has left.
	Again bool `json:"-"`
}

// lastTrail returns what an earlier attempt has left.
func lastTrail(ctx context.Context) trail {
	if !activity.IsActivity(ctx) {
		return trail{}
	}
	var progress string
	var left trail
	if activity.HasHeartbeatDetails(ctx) && activity.GetHeartbeatDetails(ctx, &progress, &left) != nil {
		left = trail{}
	}
	left.Again = activity.GetInfo(ctx).Attempt > 1
	return left
}

// teller returns the function that sends progress and trail as heartbeats.
func teller(ctx context.Context, left trail) gateway.Tell {
	if !activity.IsActivity(ctx) {
		return func(string, time.Duration) {}
	}
	return func(progress string, waited time.Duration) {
		left.Waited = waited
		activity.RecordHeartbeat(ctx, progress, left)
	}
}

// versionOf identifies what a gateway reads of an Ingress, and who has written
// it: a change that was undone again makes another version. The status, which
// gateways write, does not.
func versionOf(ingress *networkingv1.Ingress) string {
	if ingress == nil {
		return ""
	}
	sum := sha256.New()
	fmt.Fprintln(sum, ingress.UID, ingress.Generation)
	for _, key := range slices.Sorted(maps.Keys(ingress.Annotations)) {
		fmt.Fprintf(sum, "%q=%q\n", key, ingress.Annotations[key])
	}
	for _, entry := range ingress.ManagedFields {
		if entry.Subresource == "" {
			fmt.Fprintf(sum, "%q %s\n", entry.Manager, entry.Time.UTC())
		}
	}
	return hex.EncodeToString(sum.Sum(nil)[:12])
}
