package config

import (
	"math"
	"testing"
	"testing/quick"

	"github.com/stretchr/testify/require"
)

func TestNeed(t *testing.T) {
	cases := []struct{ weight, total, canary, stable int }{
		{0, 5, 0, 5},
		{10, 5, 2, 5},  // the seed's first step
		{30, 5, 2, 4},  // and its second
		{50, 10, 6, 6}, // 5.5 rounded up
		{100, 5, 5, 2},
		{1, 1, 1, 1},
		{100, 1, 1, 1},
		{20, 100, 22, 88},
		{99, 1000, 1000, 11}, // 1089, but never more than all
		{50, 0, 0, 0},
	}
	r := &Rollout{}
	for _, c := range cases {
		require.Equal(t, c.canary, r.NeedCanary(c.weight, c.total), "canary %+v", c)
		require.Equal(t, c.stable, r.NeedStable(c.weight, c.total), "stable %+v", c)
	}
	require.Equal(t, 2, r.NeedMatch(5))
	require.Equal(t, 1, r.NeedMatch(1))
	require.Equal(t, math.MaxInt32, r.NeedCanary(100, math.MaxInt32))
}

// TestHeadroom is what a document says of it.
func TestHeadroom(t *testing.T) {
	for _, c := range []struct{ headroom, weight, total, canary, stable int }{
		{0, 30, 10, 3, 7},
		{10, 30, 10, 4, 8},
		{50, 30, 10, 5, 10}, // 10.5, but never more than all
		{100, 30, 10, 6, 10},
		{0, 10, 10, 2, 9}, // the least that a route needs
	} {
		r := &Rollout{Headroom: &c.headroom}
		require.Equal(t, c.canary, r.NeedCanary(c.weight, c.total), "%+v", c)
		require.Equal(t, c.stable, r.NeedStable(c.weight, c.total), "%+v", c)
	}
	ten, none := 10, 0
	require.True(t, (&Rollout{}).SameCapacity(&Rollout{Headroom: &ten}), "inputs of before it could be written")
	require.False(t, (&Rollout{}).SameCapacity(&Rollout{Headroom: &none}))
}

// TestNeedInvariants checks that both sides together always carry the load,
// that more weight never needs less canary or more stable, and that both round
// alike.
func TestNeedInvariants(t *testing.T) {
	invariant := func(a, b, headroom uint8, size uint16) bool {
		r := &Rollout{Headroom: new(int(headroom) % 101)}
		low, high, total := int(a)%101, int(b)%101, int(size)
		low, high = min(low, high), max(low, high)
		return r.NeedCanary(low, total) <= r.NeedCanary(high, total) &&
			r.NeedStable(low, total) >= r.NeedStable(high, total) &&
			r.NeedCanary(low, total)+r.NeedStable(low, total) >= total &&
			r.NeedCanary(high, total) <= total && r.NeedStable(low, total) <= total &&
			(high == 0 || r.NeedCanary(high, total) == r.NeedStable(100-high, total)) &&
			(high == 0 || r.NeedCanary(high, total) >= min(minServing, total)) &&
			r.NeedStable(high, total) >= min(minServing, total)
	}
	require.NoError(t, quick.Check(invariant, &quick.Config{MaxCount: 20_000}))
	for total := range 60 {
		for weight := range 101 {
			require.True(t, invariant(uint8(weight), uint8(min(weight+1, 100)), DefaultHeadroom, uint16(total)), "%d of %d", weight, total)
		}
	}
}
