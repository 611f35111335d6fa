package load

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLedger(t *testing.T) {
	answered := func(sent, done, status int, version string) result {
		r := ok(0, sent, done)
		r.answer = answer{status: status, version: version}
		return r
	}
	lost := ok(0, 10, 20)
	lost.answer = answer{err: errors.New("broken"), version: "v1"}
	ledger := Ledger{}
	for _, r := range []result{
		answered(100, 110, 200, "v1"), answered(2100, 2350, 200, "v2"), answered(2100, 2140, 200, "v2"), lost,
		answered(2200, 2220, 500, "v2"), answered(100, 140, 200, "v1"), answered(500, 501, 502, ""),
	} {
		ledger.add(r, at(0), 200*time.Millisecond)
	}
	require.Equal(t, Ledger{
		"v1": {Last: at(140), Seconds: []Count{{Requests: 2}}},
		"v2": {Bad: 2, FirstBad: at(2220), Last: at(2350), Seconds: []Count{{}, {}, {Requests: 3, Bad: 2}}},
		"":   {Bad: 1, FirstBad: at(501), Last: at(501), Seconds: []Count{{Requests: 1, Bad: 1}}},
	}, ledger)
	copied := ledger.clone()
	ledger.add(answered(100, 150, 500, "v1"), at(0), 0)
	require.Zero(t, copied["v1"].Seconds[0].Bad)
	ledger.add(answered(0, 900, 200, "v1"), at(0), 0)
	require.EqualValues(t, 1, ledger["v1"].Bad, "nothing is too slow without a bound")
}
