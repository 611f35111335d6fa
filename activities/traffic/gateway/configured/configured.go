// Package configured turns settings into the configurations of gateways. It
// stands alone so that what knows gateways does not need what reads settings.
package configured

import (
	"sluice.dev/sluice/activities/traffic/gateway"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/config/settings"
)

// Gateways are the gateways of all classes, as settings say or as they assume
// where they say nothing.
func Gateways(s settings.Settings) map[string]gateway.Config {
	configs := map[string]gateway.Config{}
	for _, class := range config.Classes() {
		g := s.GatewayFor(class)
		configs[class] = gateway.Config{
			Kind: gateway.Kind(g.Kind), Service: g.Service, APIPort: g.APIPort, ProbePort: g.ProbePort, MetricsPort: g.MetricsPort,
			Grace: new(g.ConfirmGrace()),
		}
	}
	return configs
}
