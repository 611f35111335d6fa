package workload

import (
	"context"
	"time"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/pending"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/traffic"
)

// The times for which published endpoints have to stay the same.
const (
	// settle is enough where the gateway's own list of endpoints is read before
	// requests move: only what the endpoint controller does within one pod's start
	// has to be over.
	settle = 250 * time.Millisecond
	// settleUnseen is for gateways whose list nobody reads: what is published has
	// to be what stays.
	settleUnseen = 2 * time.Second
)

// EndpointConfirmer proves that the gateway serves exactly the ready endpoints
// of the user's Service.
type EndpointConfirmer interface {
	// ConfirmServiceEndpoints returns when every replica of the gateway does.
	ConfirmServiceEndpoints(ctx context.Context, ref release.Ref) error
	// SeesEndpoints reports whether the gateway's own list of them is read.
	SeesEndpoints(ref release.Ref) bool
}

// RouteLooker tells what the route of a release says.
type RouteLooker interface {
	// LookAtRoute reads the cache only.
	LookAtRoute(ref release.Ref) traffic.Look
}

// Activities change workloads. Every exported method is one activity.
type Activities struct {
	// Cluster is read and written.
	Cluster *kube.Cluster
	// Gateway is asked before the workload serves again; nil where there is none
	// to ask.
	Gateway EndpointConfirmer
	// Routes are looked at for changes by others; nil looks at none.
	Routes RouteLooker
	// Watches holds the activities that watch a workload.
	Watches *pending.Registry
}

// settle returns how long published endpoints have to stay the same.
func (a *Activities) settle(ref release.Ref) time.Duration {
	if a.Gateway != nil && !a.Gateway.SeesEndpoints(ref) {
		return settleUnseen
	}
	return settle
}

// confirm asks the gateway, where there is one.
func (a *Activities) confirm(ctx context.Context, ref release.Ref) error {
	if a.Gateway == nil {
		return nil
	}
	return a.Gateway.ConfirmServiceEndpoints(ctx, ref)
}
