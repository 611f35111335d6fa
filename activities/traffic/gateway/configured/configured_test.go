package configured

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/activities/traffic/gateway"
	"sluice.dev/sluice/config/settings"
)

func TestGateways(t *testing.T) {
	s := settings.Settings{Gateways: map[string]settings.Gateway{
		"nginx": {Kind: settings.GatewayTraefik, Service: "edge/traefik", APIPort: "api", ProbePort: "web", Grace: new(time.Duration(0))},
	}}
	configs := Gateways(s)
	require.Equal(t, gateway.Config{
		Kind: gateway.KindTraefik, Service: "edge/traefik", APIPort: "api", ProbePort: "web", Grace: new(time.Duration(0)),
	}, configs["nginx"])
	require.Equal(t, gateway.Config{Kind: gateway.KindHigress, Grace: new(10 * time.Second)}, configs["mse"])
	for class, cfg := range configs {
		require.NoError(t, cfg.Validate(), class)
	}
}
