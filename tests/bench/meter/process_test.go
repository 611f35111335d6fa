package meter

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const twoProcesses = `17 (a (strange) name) S 1 17 17 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 9 0 7 1000 200
Name:	a (strange) name
VmPeak:	  999999 kB
VmHWM:	   20480 kB
VmRSS:	   10240 kB
23 (worker) S 1 23 23 0 -1 4194560 100 0 0 0 1 0 0 0 20 0 9 0 7 1000 200
VmHWM:	    2048 kB
VmRSS:	    1024 kB
`

func TestParse(t *testing.T) {
	got, err := parse([]byte(twoProcesses))
	require.NoError(t, err)
	require.Equal(t, map[int]Usage{
		17: {CPU: 2 * time.Second, RSS: 10 << 20, Peak: 20 << 20},
		23: {CPU: 10 * time.Millisecond, RSS: 1 << 20, Peak: 2 << 20},
	}, got)
	require.InDelta(t, 20, MiB(got[17].Peak), 1e-9)
	_, err = parse([]byte("17 (short) S 1\n"))
	require.ErrorContains(t, err, "reading the state of process 17")
}
