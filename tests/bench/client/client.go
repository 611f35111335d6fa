// Package client asks the gateway all the time, as clients do, and remembers when
// each version has answered.
package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

const (
	// askers ask at the same time, each every interval.
	askers   = 2
	interval = 10 * time.Millisecond
	// patience bounds one request.
	patience = 10 * time.Second
)

// Asker is a client of the gateway.
type Asker struct {
	url  string
	http *http.Client

	mu       sync.Mutex
	seen     map[string]sight
	asked    int
	lost     int
	lastLoss error
	changed  chan struct{}
}

// sight is what is known of the answers of one version.
type sight struct {
	answers int
	last    time.Time
}

// New returns a client that asks for one URL.
func New(url string) *Asker {
	return &Asker{url: url, http: &http.Client{Timeout: patience}, seen: map[string]sight{}, changed: make(chan struct{})}
}

// Run asks until ctx ends: 200 requests a second, fewer where answers are slow.
func (a *Asker) Run(ctx context.Context) {
	var all sync.WaitGroup
	for range askers {
		all.Go(func() {
			tick := time.NewTicker(interval)
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
					known := a.known()
					version, err := a.ask(ctx)
					if ctx.Err() == nil {
						a.note(version, err, known)
					}
				}
			}
		})
	}
	all.Wait()
}

func (a *Asker) ask(ctx context.Context) (version string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url, nil)
	if err != nil {
		return "", fmt.Errorf("asking the gateway: %w", err)
	}
	answer, err := a.http.Do(request)
	if err != nil {
		return "", fmt.Errorf("asking the gateway: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return "", fmt.Errorf("reading an answer: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		return "", fmt.Errorf("the gateway answers with %s", answer.Status)
	}
	return answer.Header.Get("X-Version"), nil
}

// known says whether the gateway knows the application: it has answered once.
func (a *Asker) known() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.seen) > 0
}

// note counts an answer. What failed counts only if the gateway knew the application
// when the request was sent, as the answer to the other asker may come first.
func (a *Asker) note(version string, err error, known bool) {
	if err != nil && !known {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked++
	if err != nil {
		a.lost++
		a.lastLoss = err
		return
	}
	a.seen[version] = sight{a.seen[version].answers + 1, time.Now()}
	close(a.changed)
	a.changed = make(chan struct{})
}

// Await returns when a version has answered so many times since the call.
func (a *Asker) Await(ctx context.Context, version string, answers int) error {
	a.mu.Lock()
	wanted := a.seen[version].answers + answers
	a.mu.Unlock()
	for {
		a.mu.Lock()
		now, changed := a.seen[version].answers, a.changed
		a.mu.Unlock()
		if now >= wanted {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("waiting for answers of %s: %w", version, context.Cause(ctx))
		}
	}
}

// Last returns when a version has answered for the last time; zero if it never
// has.
func (a *Asker) Last(version string) time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.seen[version].last
}

// Lost returns an error if any request was not answered with 200, since the first
// that was.
func (a *Asker) Lost() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.lost == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d requests were lost: %w", a.lost, a.asked, a.lastLoss)
}
