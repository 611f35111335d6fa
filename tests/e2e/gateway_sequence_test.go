package e2e

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/tests/chaos/oracle"
	"sluice.dev/sluice/tests/harness"
)

// lateAtMost is a replica of Traefik: the grace that a worker waits where it
// cannot ask, and the bound of every lag of the fake gateway's Traefik.
const lateAtMost = 5 * time.Second

// dwell is how long the answers have to be those of an arrangement, all kinds of
// them and no others.
const dwell = time.Second

// TestFakeGatewayFollowsAsTraefikDoes plays the changes of a whole rollout, one
// after the other, to the real Traefik under requests that do not stop. While a
// change is on its way each answer is one that the fake gateway gives before or
// after it, and the change is there within its bound.
func TestFakeGatewayFollowsAsTraefikDoes(t *testing.T) {
	stage := newStage(t)
	empty := arrangement{notes: by("-weight", "0"), canary: absent}
	changes := []struct {
		name string
		to   arrangement
	}{
		{"canary pods and a route without requests", arrangement{notes: by("-weight", "0")}},
		{"a match", arrangement{notes: by("-by-header", "user-agent", "-by-header-value", "android", "-weight", "0"), android: true}},
		{"weight 30", arrangement{notes: by("-weight", "30")}},
		{"weight 100", arrangement{notes: by("-weight", "100")}},
		{"the pods of stable stop", arrangement{notes: by("-weight", "100"), stable: terminating}},
		{"others are there", arrangement{notes: by("-weight", "100")}},
		{"weight 0", arrangement{notes: by("-weight", "0")}},
		{"the pods of canary stop", arrangement{notes: by("-weight", "0"), canary: terminating}},
		{"they are gone", empty},
	}
	stage.show(empty)
	require.NoError(t, stage.AwaitAnswers(stage.ctx, "v1"))
	watched, before := watchAnswers(stage), stage.may(empty)
	for _, change := range changes {
		after := stage.may(change.to)
		written := time.Now()
		stage.show(change.to)
		settled := func(context.Context) (bool, error) {
			if time.Since(written) < dwell {
				return false, nil
			}
			return maps.Equal(after, kindsOf(watched.since(time.Now().Add(-dwell), change.to.header()))), nil
		}
		ctx, cancel := context.WithTimeout(stage.ctx, lateAtMost+dwell)
		require.NoError(t, harness.Await(ctx, change.name, settled), "it is not what the fake gateway does: %v", after)
		cancel()
		for _, a := range watched.since(written, change.to.header()) {
			require.True(t, after[a.kind] || before[a.kind], "%s, after %s: %s, which is neither of before %v nor of after %v",
				change.name, a.at.Sub(written), a.kind, before, after)
		}
		t.Logf("%s: there for a second after %s", change.name, time.Since(written).Round(time.Millisecond))
		before = after
	}
	require.NoError(t, stage.Kube.NetworkingV1().Ingresses(stage.namespace).Delete(stage.ctx, harness.Demo+"-canary", metav1.DeleteOptions{}))
}

// may are the kinds of answers that the fake gateway gives in an arrangement.
func (s *stage) may(a arrangement) map[string]bool {
	f := s.fake(a)
	kinds := map[string]bool{}
	for kind, n := range map[string]int64{"v1": f.V1, "v2": f.V2, "503 Service Unavailable": f.Lost} {
		if n > 0 {
			kinds[kind] = true
		}
	}
	return kinds
}

// answered is one answer of the real gateway.
type answered struct {
	at           time.Time
	header, kind string
}

// answers are all of them.
type answers struct {
	mu  sync.Mutex
	all []answered
}

// watchAnswers asks the real gateway all the time, with and without the header of
// a match, until the test ends.
func watchAnswers(s *stage) *answers {
	found := &answers{}
	ctx, cancel := context.WithCancel(s.ctx)
	var done sync.WaitGroup
	for _, header := range []string{"", (arrangement{android: true}).header()} {
		r := oracle.Request{Path: harness.Path, Header: http.Header{}}
		if header != "" {
			r.Header.Set("User-Agent", "android")
		}
		done.Go(func() {
			for ctx.Err() == nil {
				// An answer tells of the time when it was asked for.
				at := time.Now()
				kind, err := ask(ctx, s.Sandbox.State().Outside.GatewayURL, r)
				if err != nil {
					kind = fmt.Sprint(err)
				}
				found.mu.Lock()
				found.all = append(found.all, answered{at, header, kind})
				found.mu.Unlock()
			}
		})
	}
	s.t.Cleanup(func() {
		cancel()
		done.Wait()
	})
	return found
}

// since are the answers to requests with a header that were asked for after a time.
func (a *answers) since(from time.Time, header string) []answered {
	a.mu.Lock()
	defer a.mu.Unlock()
	var found []answered
	for _, one := range a.all {
		if one.header == header && one.at.After(from) {
			found = append(found, one)
		}
	}
	return found
}

// kindsOf are the kinds among answers.
func kindsOf(all []answered) map[string]bool {
	kinds := map[string]bool{}
	for _, a := range all {
		kinds[a.kind] = true
	}
	return kinds
}
