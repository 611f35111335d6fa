// Package chaos runs rollouts in which something goes wrong at one write: the
// worker dies before it, after it, while it waits for its consequences; the API
// answers with a conflict or not at all; an activity runs twice; somebody
// interferes. The workflow, the activities and the SDK are the real ones. The
// cluster, the gateway and the Temporal server are in memory and their time is
// that of a bubble of testing/synctest, so that a rollout of minutes takes a
// fraction of a second, and every write of every kind of rollout can have its
// turn.
package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	clienttesting "k8s.io/client-go/testing"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"sluice.dev/sluice/activities/kube/kubetest"
	"sluice.dev/sluice/activities/traffic/gateway"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/tests/chaos/cluster"
	"sluice.dev/sluice/tests/chaos/frontend"
	fakegateway "sluice.dev/sluice/tests/chaos/gateway"
	"sluice.dev/sluice/tests/chaos/watcher"
	"sluice.dev/sluice/workflows"
)

// Run is one rollout with one thing that goes wrong.
type Run struct {
	Scenario    Scenario
	Personality fakegateway.Personality
	Fault       Fault
	// Write at which the fault happens, from 1.
	Write int
	// Seed of everything that is drawn.
	Seed uint64

	// careless makes a worker that does not wait for the gateway and does not
	// drain: what is lost then has to be seen.
	careless bool
	// odd has an Ingress whose class has a name of its own, and lets somebody edit what
	// requests do not depend on: for what the worker may do only then.
	odd bool
}

// Report is what became of a run.
type Report struct {
	// Writes of the worker in their order, as "verb resource name".
	Writes []string
	// Used are the rights of the worker's requests, each once.
	Used []kubetest.Right
	// Outcome of the workflow.
	Outcome workflows.Outcome
	// State is what is left in the end, by kind and name.
	State map[string]string
	// Problems are what must not be; none is good.
	Problems []string
	// Asked is how many requests the clients sent, Probes how many the worker;
	// Took how long it was.
	Asked  int
	Probes int
	Took   time.Duration
	// Taken: a name that the rollout needed belonged to somebody else. Refused: it
	// stopped for that. GivenUp: it was aborted then.
	Taken, Refused, GivenUp bool
}

// limit of the virtual time of one run.
const limit = 20 * time.Minute

// sim is the world of one run.
type sim struct {
	t        *testing.T
	run      Run
	doc      config.Rollout
	random   *rand.Rand
	cluster  *cluster.Cluster
	journal  *journal
	frontend *frontend.Server
	person   client.Client
	replicas []*fakegateway.Replica
	watcher  *watcher.Watcher

	mu         sync.Mutex
	ctx        context.Context
	workers    []*workerProcess
	writes     []string
	used       map[kubetest.Right]bool
	problems   []string
	interfered bool
	conflicts  conflicts
	probes     atomic.Int64
}

// Play runs one rollout to its end, in a bubble of its own.
func Play(t *testing.T, run Run) Report {
	t.Helper()
	var report Report
	synctest.Test(t, func(t *testing.T) { report = play(t, run) })
	return report
}

func play(t *testing.T, run Run) Report {
	begun := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	s := &sim{
		t: t, run: run, doc: run.Scenario.document(kubetest.Namespace), ctx: ctx,
		random: rand.New(rand.NewPCG(run.Seed, uint64(run.Write))), journal: newJournal(), frontend: frontend.New(),
		used: map[kubetest.Right]bool{},
	}
	s.furnish()
	if run.careless {
		s.doc.Traffic.Grace = 0
	}
	link := frontend.NewLink()
	s.person = s.dial(link)
	s.startWorker()
	clients := newClients(s)
	go clients.run(ctx)
	s.drive()
	if run.Fault == CreateLate {
		s.repairLate()
	}
	time.Sleep(10 * time.Second) // what is late may still come
	cancel()
	s.stopWorkers()
	s.person.Close()
	link.Cut()
	synctest.Wait()
	view := s.watcher.Finish()
	report := Report{Writes: s.writes, State: s.state(), Asked: clients.asked, Probes: int(s.probes.Load()), Took: time.Since(begun)}
	report.Taken, report.Refused, report.GivenUp = s.conflicts.Taken, s.conflicts.Refused, s.conflicts.GivenUp
	report.Used = slices.Collect(maps.Keys(s.used))
	report.Outcome = s.outcome()
	report.Problems = append(append(s.problems, view...), clients.problems...)
	return report
}

// between draws a time.
func (s *sim) between(from, to time.Duration) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return from + time.Duration(s.random.Int64N(int64(to-from)))
}

// count numbers a write, from 1.
func (s *sim) count(a clienttesting.Action) int {
	name := ""
	switch action := a.(type) {
	case interface{ GetName() string }:
		name = action.GetName()
	case clienttesting.CreateAction:
		if m, ok := action.GetObject().(interface{ GetName() string }); ok {
			name = m.GetName()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes = append(s.writes, fmt.Sprintf("%s %s %s", a.GetVerb(), a.GetResource().Resource, name))
	return len(s.writes)
}

func (s *sim) problem(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.problems = append(s.problems, fmt.Sprintf(format, args...))
}

// must is for what cannot fail here.
func (s *sim) must(err error) {
	if err != nil {
		s.problem("preparing the run: %v", err)
	}
}

func (s *sim) running() bool { return s.ctx.Err() == nil }

func (s *sim) workflowID() string {
	return workflows.WorkflowID(clusterName, s.doc.Namespace, s.doc.Workload)
}

// gatewayConfig is how the worker is told of the gateway: one of Traefik can be
// asked, of the others it knows how long they take at most, and, where the
// document has a probe, where their replicas are.
func (s *sim) gatewayConfig() map[string]gateway.Config {
	if s.run.careless {
		return map[string]gateway.Config{"nginx": {Kind: gateway.KindNginx, Grace: new(time.Millisecond)}}
	}
	replicas := ""
	if s.run.Scenario.Probe != nil {
		replicas = "gateway/traefik"
	}
	switch s.run.Personality {
	case fakegateway.Traefik:
		return map[string]gateway.Config{"nginx": {Kind: gateway.KindTraefik, Service: "gateway/traefik", APIPort: "api"}}
	case fakegateway.Nginx:
		return map[string]gateway.Config{"nginx": {Kind: gateway.KindNginx, Service: replicas}}
	case fakegateway.GatewayAPI:
	}
	return map[string]gateway.Config{"nginx": {Service: replicas}}
}

// attribute reads a search attribute of the rollout.
func attribute[T any](v frontend.View, name string) T {
	var out T
	if p := v.Attributes[name]; p != nil {
		_ = converter.GetDefaultDataConverter().FromPayload(p, &out)
	}
	return out
}

// nothingLeft is the outcome of a repair that came when all was done.
const nothingLeft workflows.Outcome = "nothing left"

// outcome of the last workflow.
func (s *sim) outcome() workflows.Outcome {
	view, err := s.frontend.Await(context.Background(), s.workflowID(), func(frontend.View) bool { return true })
	if err != nil {
		s.problem("the workflow: %v", err)
		return ""
	}
	if (s.run.Fault == Repair || s.run.Fault == CreateLate) && strings.Contains(view.Failure, "nothing to repair") {
		return nothingLeft
	}
	var result workflows.Result
	if view.Result == nil || len(view.Result.Payloads) == 0 {
		s.problem("the workflow has no result: %s", view.Failure)
		return ""
	}
	if err := json.Unmarshal(view.Result.Payloads[0].Data, &result); err != nil {
		s.problem("reading the result: %v", err)
	}
	return result.Outcome
}
