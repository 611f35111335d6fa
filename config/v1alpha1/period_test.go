package v1alpha1

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPeriod(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"90": 90 * time.Second, "90s": 90 * time.Second, "1h30m": 90 * time.Minute, "0": 0, "-1s": -time.Second, "0.5s": 500 * time.Millisecond,
	} {
		var p Period
		require.NoError(t, p.UnmarshalText([]byte(text)), text)
		require.Equal(t, Period(want), p, text)
	}
	for _, text := range []string{"", "ten", "1d", "1.5", "3000000000"} {
		var p Period
		require.ErrorContains(t, p.UnmarshalText([]byte(text)), "not a length of time", text)
	}
}

func TestHold(t *testing.T) {
	for text, want := range map[string]Hold{
		"none": {Mode: HoldNone}, "approval": {Mode: HoldApproval}, "30s": {Mode: HoldTimed, Duration: Period(30 * time.Second)},
	} {
		var h Hold
		require.NoError(t, h.UnmarshalText([]byte(text)))
		require.Equal(t, want, h)
		written, err := h.MarshalText()
		require.NoError(t, err)
		require.Equal(t, text, string(written))
	}
	var h Hold
	require.ErrorContains(t, h.UnmarshalText([]byte("timed")), "write none, approval or a length of time")
}
