package chaos

import (
	"context"
	"fmt"
	"net/http"
	"time"

	fakegateway "sluice.dev/sluice/tests/chaos/gateway"
	"sluice.dev/sluice/tests/chaos/oracle"
)

const (
	// every is the pause between two rounds of requests; a round is one request
	// of each kind to each replica of the gateway.
	every = 40 * time.Millisecond
	// flight is how long a request takes: a little less than the grace, which
	// has to be longer than the longest request.
	flight = 2900 * time.Millisecond
	// enough losses of one run are told.
	enough = 5
)

// clients send requests to every replica all the time and count what is lost.
type clients struct {
	sim      *sim
	asked    int
	lost     int
	problems []string
}

func newClients(s *sim) *clients { return &clients{sim: s} }

// kinds of requests: by everybody, and by those whom a match of a scenario means.
var kinds = []oracle.Request{
	{Path: path, Header: http.Header{"User-Agent": {"curl"}}},
	{Path: path, Header: http.Header{"User-Agent": {"android"}}},
}

// outstanding is a request that a pod is working on.
type outstanding struct {
	until time.Time
	pod   string
	text  string
}

// run sends until ctx ends. It alone touches the account.
func (c *clients) run(ctx context.Context) {
	var inFlight []outstanding
	for ctx.Err() == nil {
		now := time.Now()
		for _, g := range c.sim.replicas {
			for k, kind := range kinds {
				if p, ok := c.ask(g, kind, fmt.Sprintf("kind %d at %s", k, g.Name)); ok {
					p.until = now.Add(flight)
					inFlight = append(inFlight, p)
				}
			}
		}
		for len(inFlight) > 0 && !inFlight[0].until.After(now) {
			if p := inFlight[0]; !c.sim.cluster.Answers(p.pod) {
				c.lose("%s: its pod %s died while it was in flight", p.text, p.pod)
			}
			inFlight = inFlight[1:]
		}
		select {
		case <-time.After(every):
		case <-ctx.Done():
		}
	}
}

// ask sends one request; it reports whether a pod has begun to work on it.
func (c *clients) ask(g *fakegateway.Replica, r oracle.Request, text string) (outstanding, bool) {
	c.asked++
	answer := g.Ask(r)
	if answer.Lost != "" {
		c.lose("%s: %s", text, answer.Lost)
		return outstanding{}, false
	}
	if !c.sim.cluster.Answers(answer.Pod) {
		c.lose("%s: 502, pod %s does not answer", text, answer.Pod)
		return outstanding{}, false
	}
	c.sim.watcher.Answered(g, r, answer, c.sim.cluster.ImageOf(answer.Pod))
	return outstanding{pod: answer.Pod, text: text}, true
}

func (c *clients) lose(format string, args ...any) {
	c.lost++
	if c.lost <= enough {
		c.problems = append(c.problems, fmt.Sprintf("I20 at %s: lost: %s", time.Now().Format("04:05.000"), fmt.Sprintf(format, args...)))
	}
}
