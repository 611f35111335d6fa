package load

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTargetsAreLimited(t *testing.T) {
	for url, want := range map[string]string{
		"http://127.0.0.1:80/x":       "",
		"http://localhost:8080/":      "",
		"http://[::1]:8080/":          "",
		"http://10.244.3.7:8080/":     "",
		"http://192.0.2.21/version":   "",
		"http://192.0.3.1/":           "load is only sent to loopback, 10.244.0.0/16 and 192.0.2.0/24, not to 192.0.3.1",
		"http://10.245.0.1/":          "load is only sent to",
		"http://8.8.8.8/":             "load is only sent to",
		"http://[2001:db8::1]/":       "load is only sent to",
		"http://example.com/":         "is not an IP address",
		"http://127.0.0.1.nip.test/":  "is not an IP address",
		"https://127.0.0.1/":          "want http://",
		"http://a:b@127.0.0.1/":       "want http://",
		"http://127.0.0.1:99999/":     "port 99999 is not between 1 and 65535",
		"127.0.0.1:80":                "first path segment in URL cannot contain colon",
		"http://[::ffff:8.8.8.8]:80/": "load is only sent to",
	} {
		t.Run(url, func(t *testing.T) {
			opts := closed(url, 1)
			err := opts.check()
			if want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, want)
			require.ErrorContains(t, err, "targets[0].url")
		})
	}
}

func TestOptionsReportEverythingAtOnce(t *testing.T) {
	_, err := Start(context.Background(), Options{
		Targets: []Target{{URL: "http://127.0.0.1/", Headers: map[string]string{"bad name": "x", "ok": "a\r\nb"}}},
		Clients: MaxClients + 1, Rate: -1, PostShare: 1.5, NewConnShare: -0.1,
		Timeout: time.Hour, MaxDuration: 2 * time.Hour, MaxRequests: -1,
	})
	for _, want := range []string{
		"clients: 1001", "rate: -1", "post share: 1.5", "new connection share: -0.1", "timeout: 1h0m0s",
		"duration: 2h0m0s", "requests: -1", `"bad name"`, `"ok"`,
	} {
		require.ErrorContains(t, err, want)
	}
}

func TestEveryRunIsBounded(t *testing.T) {
	opts := closed("http://127.0.0.1/", 0)
	require.ErrorContains(t, opts.check(), "without a rate a number of requests is required")
	opts = closed("http://127.0.0.1/", 1)
	opts.MaxDuration = 0
	require.ErrorContains(t, opts.check(), "every run is bounded")
	opts = Options{}
	require.ErrorContains(t, opts.check(), "targets: at least one")
}

func TestRateAndEnd(t *testing.T) {
	srv := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "version: v1") })
	opts := Options{Targets: []Target{{URL: srv.URL}}, Clients: 4, Rate: 200, MaxDuration: 500 * time.Millisecond}
	w := finish(t, opts)
	require.LessOrEqual(t, w.Requests, int64(100), "never more than the rate allows")
	require.Positive(t, w.Good)
	require.Zero(t, w.Lost())
	require.GreaterOrEqual(t, w.To.Sub(w.From), 490*time.Millisecond)
}

func TestEndingWaitsForWhatIsUnderWay(t *testing.T) {
	for name, end := range map[string]func(context.CancelFunc, *Runner){
		"stop":            func(_ context.CancelFunc, r *Runner) { go r.Stop() },
		"end of context":  func(cancel context.CancelFunc, _ *Runner) { cancel() },
		"stopping thrice": func(cancel context.CancelFunc, r *Runner) { cancel(); go r.Stop(); go r.Stop() },
	} {
		t.Run(name, func(t *testing.T) {
			url, version := gated(t)
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			opts := closed(url, 100)
			opts.Clients = 2
			r, err := Start(ctx, opts)
			require.NoError(t, err)
			await(t, r, func(w Window) bool { return w.InFlight == 2 })
			end(cancel, r)
			select {
			case <-r.stop:
			case <-time.After(5 * time.Second):
				require.Fail(t, "the run was not told to end")
			}
			version <- "v1"
			version <- "v1"
			<-r.Done()
			w := r.Stop().Whole
			require.EqualValues(t, 2, w.Good)
			require.EqualValues(t, 2, w.Requests)
		})
	}
}

func TestSameSeedChoosesAlike(t *testing.T) {
	choices := func(seed uint64) []string {
		r := &Runner{
			opts:    Options{Seed: seed, PostShare: 0.5, NewConnShare: 0.5},
			targets: []prepared{{cohort: "a"}, {cohort: "b"}},
		}
		var out []string
		for n := range int64(64) {
			target, kind := r.choose(n)
			out = append(out, target.cohort+" "+string(kind))
		}
		return out
	}
	require.Equal(t, choices(7), choices(7))
	require.NotEqual(t, choices(7), choices(8))
}
