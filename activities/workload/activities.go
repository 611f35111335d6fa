package workload

import (
	"context"
	"time"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/release"
)

// settle is how long published endpoints have to stay the same. Only what the
// endpoint controller does within one pod's start has to be over: the gateway
// is asked itself before requests move.
const settle = 250 * time.Millisecond

// EndpointConfirmer proves that the gateway serves exactly the ready endpoints
// of the user's Service.
type EndpointConfirmer interface {
	// ConfirmServiceEndpoints returns when every replica of the gateway does.
	ConfirmServiceEndpoints(ctx context.Context, ref release.Ref) error
}

// Activities change workloads. Every exported method is one activity.
type Activities struct {
	// Cluster is read and written.
	Cluster *kube.Cluster
	// Gateway is asked before the workload serves again; nil where there is none
	// to ask.
	Gateway EndpointConfirmer
}

// confirm asks the gateway, where there is one.
func (a *Activities) confirm(ctx context.Context, ref release.Ref) error {
	if a.Gateway == nil {
		return nil
	}
	return a.Gateway.ConfirmServiceEndpoints(ctx, ref)
}
