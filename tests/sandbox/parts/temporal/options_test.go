package main

import (
	"bytes"
	"flag"
	"log/slog"
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
)

func TestParseOptions(t *testing.T) {
	opts, err := parseOptions([]string{
		"--grpc", "127.0.0.1:1", "--ui", "0.0.0.0:2", "--metrics", "127.0.0.1:3", "--http-port", "4",
		"--db", "/tmp/x.db", "--namespace", "a", "--namespace", "b",
		"--search-attribute", "RolloutPhase=Keyword", "--search-attribute", "RolloutStep=Int", "--log-level", "info",
	}, &bytes.Buffer{})
	require.NoError(t, err)
	require.Equal(t, options{
		grpc:       netip.MustParseAddrPort("127.0.0.1:1"),
		ui:         netip.MustParseAddrPort("0.0.0.0:2"),
		metrics:    netip.MustParseAddrPort("127.0.0.1:3"),
		httpPort:   4,
		db:         "/tmp/x.db",
		namespaces: []string{"a", "b"},
		attributes: attributes{
			"RolloutPhase": enumspb.INDEXED_VALUE_TYPE_KEYWORD,
			"RolloutStep":  enumspb.INDEXED_VALUE_TYPE_INT,
		},
		logLevel: slog.LevelInfo,
	}, opts)
}

func TestParseOptionsDefaults(t *testing.T) {
	opts, err := parseOptions([]string{"--db", "x.db"}, &bytes.Buffer{})
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:7233", opts.grpc.String())
	require.Equal(t, []string{"default"}, opts.namespaces)
	require.False(t, opts.ui.IsValid())
	require.False(t, opts.metrics.IsValid())
	require.Equal(t, slog.LevelWarn, opts.logLevel)
}

func TestParseOptionsRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want []string
	}{
		"no file":             {nil, []string{"--db: a file is required"}},
		"a URL for a file":    {[]string{"--db", "x?mode=memory"}, []string{`--db "x?mode=memory"`}},
		"an argument":         {[]string{"--db", "x", "start"}, []string{`unexpected argument "start"`}},
		"an unknown type":     {[]string{"--search-attribute", "A=Number"}, []string{`type "Number" is not one of Text, Keyword`}},
		"no type at all":      {[]string{"--search-attribute", "A"}, []string{"want NAME=TYPE"}},
		"an unspecified type": {[]string{"--search-attribute", "A=Unspecified"}, []string{`type "Unspecified"`}},
		"a type twice":        {[]string{"--search-attribute", "A=Int", "--search-attribute", "A=Bool"}, []string{"given twice"}},
		"a namespace twice":   {[]string{"--namespace", "a", "--namespace", "a"}, []string{"each namespace one name"}},
		"all at once": {
			[]string{"--grpc", "localhost:7233", "--ui", "127.0.0.1:0", "--metrics", "[::1]:1", "--http-port", "70000"},
			[]string{`--grpc "localhost:7233"`, `--ui "127.0.0.1:0"`, `--metrics "[::1]:1"`, "--http-port 70000", "--db: a file"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseOptions(tc.args, &bytes.Buffer{})
			for _, want := range tc.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	var out bytes.Buffer
	_, err := parseOptions([]string{"--help"}, &out)
	require.ErrorIs(t, err, flag.ErrHelp)
	require.Contains(t, out.String(), "usage: sandbox-temporal --db FILE")
	require.Contains(t, out.String(), "-search-attribute")
}

func TestDialable(t *testing.T) {
	for listen, want := range map[string]string{
		"0.0.0.0:7233":    "127.0.0.1:7233",
		"192.0.2.10:7233": "192.0.2.10:7233",
	} {
		require.Equal(t, want, dialable(netip.MustParseAddrPort(listen)))
	}
}

func TestFreePortsDiffer(t *testing.T) {
	ports, err := freePorts(20)
	require.NoError(t, err)
	seen := map[int]bool{}
	for _, p := range ports {
		require.False(t, seen[p], "port %d twice", p)
		seen[p] = true
	}
}

func TestCheckAddresses(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close() //nolint:errcheck // nothing was accepted
	taken := l.Addr().(*net.TCPAddr).AddrPort()
	anyPort := netip.MustParseAddrPort("127.0.0.1:0")
	require.NoError(t, checkAddresses(options{grpc: anyPort}))
	require.ErrorContains(t, checkAddresses(options{grpc: taken}), "--grpc")
	require.ErrorContains(t, checkAddresses(options{grpc: anyPort, ui: taken}), "--ui")
	require.ErrorContains(t, checkAddresses(options{grpc: anyPort, httpPort: int(taken.Port())}), "--http-port")
}
