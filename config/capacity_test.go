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
	for _, c := range cases {
		require.Equal(t, c.canary, NeedCanary(c.weight, c.total), "canary %+v", c)
		require.Equal(t, c.stable, NeedStable(c.weight, c.total), "stable %+v", c)
	}
	require.Equal(t, 2, NeedMatch(5))
	require.Equal(t, 1, NeedMatch(1))
	require.Equal(t, math.MaxInt32, NeedCanary(100, math.MaxInt32))
}

// TestNeedInvariants checks that both sides together always carry the load,
// that more weight never needs less canary or more stable, and that both round
// alike.
func TestNeedInvariants(t *testing.T) {
	invariant := func(a, b uint8, size uint16) bool {
		low, high, total := int(a)%101, int(b)%101, int(size)
		low, high = min(low, high), max(low, high)
		return NeedCanary(low, total) <= NeedCanary(high, total) &&
			NeedStable(low, total) >= NeedStable(high, total) &&
			NeedCanary(low, total)+NeedStable(low, total) >= total &&
			NeedCanary(high, total) <= total && NeedStable(low, total) <= total &&
			(high == 0 || NeedCanary(high, total) == NeedStable(100-high, total)) &&
			(high == 0 || NeedCanary(high, total) >= min(minServing, total)) &&
			NeedStable(high, total) >= min(minServing, total)
	}
	require.NoError(t, quick.Check(invariant, &quick.Config{MaxCount: 20_000}))
	for total := range 60 {
		for weight := range 101 {
			require.True(t, invariant(uint8(weight), uint8(min(weight+1, 100)), uint16(total)), "%d of %d", weight, total)
		}
	}
}
