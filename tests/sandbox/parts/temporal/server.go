package main

import (
	"fmt"
	"net"
	"net/netip"
	"strings"

	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/temporal"
)

const (
	clusterName = "active"
	loopback    = "127.0.0.1"
	// shards is written into the database file and cannot change afterwards.
	// One SQLite connection serves them all, so more would only poll more.
	shards = 1
)

// newServer makes the database ready and builds the server; Start does not block.
func newServer(opts options) (temporal.Server, error) {
	if err := checkAddresses(opts); err != nil {
		return nil, err
	}
	ports, err := freePorts(3)
	if err != nil {
		return nil, fmt.Errorf("finding ports for the server's inner services: %w", err)
	}
	if err := prepareDatabase(opts); err != nil {
		return nil, err
	}
	cfg := serverConfig(opts, ports)
	logger := log.NewZapLogger(log.BuildZapLogger(log.Config{
		Level: strings.ToLower(opts.logLevel.String()),
	}))
	srv, err := temporal.NewServer(
		temporal.WithConfig(cfg),
		temporal.ForServices(temporal.DefaultServices),
		temporal.WithStaticHosts(staticHosts(opts, ports)),
		temporal.WithLogger(logger),
		temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
		temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper {
			return authorization.NewNoopClaimMapper()
		}),
		temporal.WithDynamicConfigClient(dynamicValues()),
	)
	if err != nil {
		return nil, fmt.Errorf("building the Temporal server: %w", err)
	}
	return srv, nil
}

func serverConfig(opts options, ports []int) *config.Config {
	cfg := &config.Config{}
	cfg.Global.Membership = config.Membership{BroadcastAddress: loopback}
	cfg.Persistence = config.Persistence{
		DefaultStore:     sqlite.PluginName,
		VisibilityStore:  sqlite.PluginName,
		NumHistoryShards: shards,
		DataStores:       map[string]config.DataStore{sqlite.PluginName: {SQL: sqlConfig(opts.db)}},
	}
	cfg.ClusterMetadata = &cluster.Config{
		FailoverVersionIncrement: 10,
		MasterClusterName:        clusterName,
		CurrentClusterName:       clusterName,
		ClusterInformation: map[string]cluster.ClusterInformation{
			clusterName: {Enabled: true, InitialFailoverVersion: 1, RPCAddress: dialable(opts.grpc)},
		},
	}
	cfg.DCRedirectionPolicy.Policy = "noop"
	cfg.PublicClient.HostPort = dialable(opts.grpc)
	cfg.Archival.History.State = "disabled"
	cfg.Archival.Visibility.State = "disabled"
	cfg.NamespaceDefaults.Archival.History.State = "disabled"
	cfg.NamespaceDefaults.Archival.Visibility.State = "disabled"
	cfg.Services = map[string]config.Service{
		string(primitives.FrontendService): {RPC: config.RPC{
			GRPCPort: int(opts.grpc.Port()),
			HTTPPort: opts.httpPort,
			BindOnIP: opts.grpc.Addr().String(),
		}},
		string(primitives.HistoryService):  inner(ports[0]),
		string(primitives.MatchingService): inner(ports[1]),
		string(primitives.WorkerService):   inner(ports[2]),
	}
	return cfg
}

func inner(port int) config.Service {
	return config.Service{RPC: config.RPC{GRPCPort: port, BindOnLocalHost: true}}
}

// staticHosts spares the services looking for each other by gossip, which costs
// a second at start and listens on four more ports.
func staticHosts(opts options, ports []int) map[primitives.ServiceName]static.Hosts {
	at := func(port int) static.Hosts {
		return static.SingleLocalHost(fmt.Sprintf("%s:%d", loopback, port))
	}
	return map[primitives.ServiceName]static.Hosts{
		primitives.FrontendService: static.SingleLocalHost(dialable(opts.grpc)),
		primitives.HistoryService:  at(ports[0]),
		primitives.MatchingService: at(ports[1]),
		primitives.WorkerService:   at(ports[2]),
	}
}

// dialable returns an address at which a server that listens on addr answers:
// one that listens everywhere is reached on loopback.
func dialable(addr netip.AddrPort) string {
	if addr.Addr().IsUnspecified() {
		return fmt.Sprintf("%s:%d", loopback, addr.Port())
	}
	return addr.String()
}

// checkAddresses listens for a moment wherever the server and the Web UI will:
// both end the process, with a stack trace or without a word, when they cannot.
func checkAddresses(opts options) error {
	for name, addr := range map[string]netip.AddrPort{
		"grpc":      opts.grpc,
		"ui":        opts.ui,
		"http-port": netip.AddrPortFrom(opts.grpc.Addr(), uint16(opts.httpPort)),
	} {
		if !addr.IsValid() {
			continue
		}
		l, err := net.Listen("tcp", addr.String())
		if err != nil {
			return fmt.Errorf("listening for --%s: %w", name, err)
		}
		if err := l.Close(); err != nil {
			return fmt.Errorf("listening for --%s: %w", name, err)
		}
	}
	return nil
}

// freePorts returns ports that nobody listens on, all different: every one is
// held until the last is found.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", net.JoinHostPort(loopback, "0"))
		if err != nil {
			return nil, err
		}
		defer l.Close() //nolint:errcheck // nothing was accepted
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
