package runtime

import (
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// clock is a time that only the test moves.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func newTestAddresses(t *testing.T, cidr, file string) (*Addresses, *clock) {
	t.Helper()
	c := &clock{t: time.Unix(1000, 0)}
	a, err := NewAddresses(cidr, file, c.now)
	require.NoError(t, err)
	return a, c
}

func take(t *testing.T, a *Addresses) string {
	t.Helper()
	addr, err := a.Take()
	require.NoError(t, err)
	return addr.String()
}

func TestAddressesGoRound(t *testing.T) {
	a, clock := newTestAddresses(t, "10.244.1.0/29", filepath.Join(t.TempDir(), "last"))
	require.Equal(t, "10.244.1.1", take(t, a))
	require.Equal(t, "10.244.1.2", take(t, a))
	a.Free(netip.MustParseAddr("10.244.1.1"))
	clock.t = clock.t.Add(time.Hour)
	for _, want := range []string{"10.244.1.3", "10.244.1.4", "10.244.1.5", "10.244.1.6", "10.244.1.1"} {
		require.Equal(t, want, take(t, a), "a freed address comes last")
	}
	_, err := a.Take()
	require.ErrorContains(t, err, "all 6 of 10.244.1.0/29 are in use")
}

func TestAddressesQuarantine(t *testing.T) {
	a, clock := newTestAddresses(t, "10.244.1.0/30", filepath.Join(t.TempDir(), "last"))
	first := netip.MustParseAddr(take(t, a))
	take(t, a)
	a.Free(first)
	clock.t = clock.t.Add(quarantine - time.Second)
	_, err := a.Take()
	require.Error(t, err)
	clock.t = clock.t.Add(time.Second)
	require.Equal(t, first.String(), take(t, a))
}

func TestAddressesFreeTwice(t *testing.T) {
	a, clock := newTestAddresses(t, "10.244.1.0/30", filepath.Join(t.TempDir(), "last"))
	first := netip.MustParseAddr(take(t, a))
	a.Free(first)
	clock.t = clock.t.Add(quarantine / 2)
	a.Free(first) // does not begin the quarantine again
	take(t, a)
	clock.t = clock.t.Add(quarantine / 2)
	require.Equal(t, first.String(), take(t, a))
}

func TestAddressesGoOnAfterRestart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "node", "last")
	a, _ := newTestAddresses(t, "10.244.1.0/24", file)
	take(t, a)
	take(t, a)
	again, _ := newTestAddresses(t, "10.244.1.0/24", file)
	require.Equal(t, "10.244.1.3", take(t, again))
	other, _ := newTestAddresses(t, "10.244.2.0/24", file)
	require.Equal(t, "10.244.2.1", take(t, other), "an address of another range is not used")
}

func TestAddressesRefuse(t *testing.T) {
	for _, cidr := range []string{"", "10.244.1.0", "10.244.1.0/31", "10.0.0.0/7", "fd00::/64"} {
		_, err := NewAddresses(cidr, filepath.Join(t.TempDir(), "last"), time.Now)
		require.ErrorContains(t, err, "reading the pod range", cidr)
	}
}
