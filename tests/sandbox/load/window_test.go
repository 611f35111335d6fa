package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func at(ms int) time.Time { return time.UnixMilli(int64(ms)) }

func ok(seq int64, sent, done int) result {
	return result{seq: seq, due: at(sent), sent: at(sent), done: at(done), cohort: "all", kind: GetKept, answer: answer{status: 200, version: "v1"}}
}

func TestGap(t *testing.T) {
	bad := ok(2, 40, 45)
	bad.answer = answer{err: errors.New("broken")}
	for name, tc := range map[string]struct {
		results []result
		now     int
		want    Gap
	}{
		"nothing yet":                       {nil, 70, Gap{70 * time.Millisecond, at(0)}},
		"between answers":                   {[]result{ok(0, 5, 10), ok(1, 60, 65)}, 70, Gap{55 * time.Millisecond, at(10)}},
		"an error does not end it":          {[]result{ok(0, 5, 10), bad, ok(3, 60, 65)}, 70, Gap{55 * time.Millisecond, at(10)}},
		"before the first":                  {[]result{ok(0, 45, 50), ok(1, 60, 65)}, 70, Gap{50 * time.Millisecond, at(0)}},
		"after the last":                    {[]result{ok(0, 5, 10), ok(1, 15, 20)}, 90, Gap{70 * time.Millisecond, at(20)}},
		"counted out of order":              {[]result{ok(0, 5, 30), ok(1, 6, 20), ok(2, 35, 40)}, 45, Gap{30 * time.Millisecond, at(0)}},
		"a read before the mark was passed": {nil, -5, Gap{}},
	} {
		t.Run(name, func(t *testing.T) {
			tally := newTally("w", at(0), 0)
			for _, r := range tc.results {
				tally.add(r)
			}
			require.Equal(t, tc.want, tally.window(at(tc.now)).Gap)
		})
	}
}

func TestLatencyCountsFromWhenItWasDue(t *testing.T) {
	tally := newTally("w", at(0), 0)
	late := ok(0, 500, 510)
	late.due = at(10)
	tally.add(late)
	w := tally.window(at(600))
	require.Equal(t, 500*time.Millisecond, w.Latency.Max)
	require.Equal(t, 490*time.Millisecond, w.MaxLag)
}

func TestHistogramQuantiles(t *testing.T) {
	var h histogram
	require.Zero(t, h.quantile(0.5))
	for i := 1; i <= 10000; i++ {
		h.add(time.Duration(i) * time.Millisecond / 10)
	}
	for q, want := range map[float64]time.Duration{0.01: 10 * time.Millisecond, 0.5: 500 * time.Millisecond, 0.99: 990 * time.Millisecond, 1: time.Second} {
		got := h.quantile(q)
		require.GreaterOrEqual(t, got, want, "quantile %v", q)
		require.LessOrEqual(t, got, want+want/32+time.Microsecond, "quantile %v", q)
	}
	h.add(48 * time.Hour)
	require.Equal(t, 48*time.Hour, h.quantile(1))
}

func TestBucketsAreContinuous(t *testing.T) {
	for i := range subBuckets*subBuckets - 1 {
		require.Equal(t, i, bucket(upper(i)-time.Nanosecond), "end of bucket %d", i)
		require.Equal(t, i+1, bucket(upper(i)), "start after bucket %d", i)
	}
}

// gated is a server whose answers wait for the test.
func gated(t *testing.T) (url string, version chan string) {
	t.Helper()
	version = make(chan string)
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		select {
		case v := <-version:
			fmt.Fprintf(w, "version: %s", v)
		case <-r.Context().Done():
		}
	})
	return srv.URL, version
}

func TestMarksAndWindows(t *testing.T) {
	url, version := gated(t)
	r, err := Start(context.Background(), closed(url, 5))
	require.NoError(t, err)
	version <- "v1"
	version <- "v1"
	await(t, r, func(w Window) bool { return w.Requests == 2 && w.InFlight == 1 })

	before, err := r.Mark("step 1")
	require.NoError(t, err)
	require.EqualValues(t, 2, before.Requests)
	require.Equal(t, Whole, before.Name)
	version <- "v1" // was under way when the mark was made
	version <- "v2"
	await(t, r, func(w Window) bool { return w.Requests == 4 })

	step1, err := r.Mark("step 2")
	require.NoError(t, err)
	require.Equal(t, "step 1", step1.Name)
	require.Equal(t, map[string]int64{"v2": 1}, step1.Versions)
	version <- "v2"
	<-r.Done()

	rep := r.Stop()
	require.Equal(t, map[string]int64{"v1": 3, "v2": 2}, rep.Whole.Versions)
	require.Equal(t, []string{"step 1", "step 2"}, []string{rep.Marks[0].Name, rep.Marks[1].Name})
	require.EqualValues(t, 2, rep.Marks[0].Requests)
	require.Zero(t, rep.Marks[1].Requests, "the last one was sent before the second mark")
	require.Zero(t, rep.Marks[1].InFlight)

	_, err = r.Window("step 3")
	require.EqualError(t, err, `looking for mark "step 3": there is none`)
	_, err = r.Mark("")
	require.Error(t, err)
	for i := range maxMarks {
		_, _ = r.Mark(fmt.Sprint(i))
	}
	_, err = r.Mark("one more")
	require.ErrorContains(t, err, "there are 100 marks already")
	_, err = r.Mark("step 1")
	require.NoError(t, err, "a name may be used again")
}

func await(t *testing.T, r *Runner, done func(Window) bool) {
	t.Helper()
	require.Eventually(t, func() bool {
		w, err := r.Window("")
		return err == nil && done(w)
	}, 5*time.Second, time.Millisecond)
}

func TestControl(t *testing.T) {
	url, version := gated(t)
	r, err := Start(context.Background(), closed(url, 3))
	require.NoError(t, err)
	socket := filepath.Join(t.TempDir(), "load.sock")
	_, err = Dial(socket)
	require.ErrorContains(t, err, socket)

	l, err := net.Listen("unix", socket)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- r.Serve(ctx, l) }()
	c, err := Dial(socket)
	require.NoError(t, err)
	defer c.Close()

	version <- "v1"
	await(t, r, func(w Window) bool { return w.Requests == 1 && w.InFlight == 1 })
	before, err := c.Mark(ctx, "a b&c")
	require.NoError(t, err)
	require.Equal(t, map[string]int64{"v1": 1}, before.Versions)
	_, err = c.Window(ctx, "other")
	require.ErrorContains(t, err, `there is none`)
	version <- "v1"
	version <- "v2"
	<-r.Done()
	after, err := c.Window(ctx, "a b&c")
	require.NoError(t, err)
	require.Equal(t, map[string]int64{"v2": 1}, after.Versions)
	require.Equal(t, GetKept, kindsOf(after)[0])
	rep, err := c.Stop(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 3, rep.Whole.Good)
	require.Equal(t, r.Stop().Whole.Latency, rep.Whole.Latency, "durations survive JSON")

	cancel()
	require.NoError(t, <-served)
}

func kindsOf(w Window) []Kind {
	var kinds []Kind
	for k := range w.Kinds {
		kinds = append(kinds, k)
	}
	return kinds
}
