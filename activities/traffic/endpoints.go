package traffic

import (
	"context"
	"time"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/traffic/gateway"
)

// Endpoints confirms what gateways serve, for those who change pods and must
// not go on before the gateway has seen it.
type Endpoints struct {
	// Cluster that publishes the endpoints.
	Cluster *kube.Cluster
	// Gateways that have to take them.
	Gateways *gateway.Gateways
}

// ConfirmServiceEndpoints returns when every replica of the gateway serves
// exactly the ready endpoints that are published for the user's Service. It
// beats when it runs in an activity. Its error says what was missing when ctx
// ended.
func (e Endpoints) ConfirmServiceEndpoints(ctx context.Context, ref release.Ref) error {
	_, err := e.confirm(ctx, ref)
	return err
}

// SeesEndpoints reports whether the list of endpoints that the gateway has is
// read, or only time tells.
func (e Endpoints) SeesEndpoints(ref release.Ref) bool {
	return levelOf(e.Gateways, ref) == LevelState
}

func (e Endpoints) confirm(ctx context.Context, ref release.Ref) (Confirmation, error) {
	ctx, cancel := working(ctx)
	defer cancel()
	activities := Activities{Cluster: e.Cluster, Gateways: e.Gateways}
	base, err := activities.ingress(ctx, ref)
	if err != nil {
		return Confirmation{}, failure(err, ref)
	}
	want := wantOf(base, ref)
	want.Servers, want.Level = true, ref.Confirm.Level
	begun, beat := time.Now(), kube.Beat(ctx)
	result, err := e.Gateways.Confirm(ctx, ref.Class, want, func(progress string, _ time.Duration) { beat(progress) })
	if err != nil {
		return Confirmation{}, failure(err, ref)
	}
	return Confirmation{
		Level: result.Level, Gateways: result.Replicas, Expected: result.Replicas, Note: result.Note,
		Millis: time.Since(begun).Milliseconds(),
	}, nil
}
