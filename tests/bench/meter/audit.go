package meter

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
)

// WorkerAgent is the user agent of sluice-worker.
const WorkerAgent = "sluice-worker"

// Audit is the API server's log of all requests.
type Audit struct {
	// Path of the log.
	Path string
}

// Mark returns the present end of the log.
func (a Audit) Mark() (int64, error) {
	info, err := os.Stat(a.Path)
	if err != nil {
		return 0, fmt.Errorf("looking at the audit log: %w", err)
	}
	return info.Size(), nil
}

// Kind is what a request does: its verb, and the resource (with subresource)
// that it does it to.
type Kind struct{ Verb, Resource string }

// Requests counts requests by their kind.
type Requests struct {
	// Counted are requests that were answered; watches are not among them.
	Counted map[Kind]int
	// Failed are those among them that were answered with an error, by its code.
	Failed map[int]int
	// Watches that were begun.
	Watches int
}

// Total is the number of requests without watches.
func (r Requests) Total() int {
	n := 0
	for _, count := range r.Counted {
		n += count
	}
	return n
}

// Kinds returns the kinds of requests, the most frequent first.
func (r Requests) Kinds() []Kind {
	return slices.SortedFunc(maps.Keys(r.Counted), func(a, b Kind) int {
		return cmp.Or(cmp.Compare(r.Counted[b], r.Counted[a]), cmp.Compare(a.Verb, b.Verb), cmp.Compare(a.Resource, b.Resource))
	})
}

// Since counts the requests of a user agent from a mark to the end of the log.
func (a Audit) Since(mark int64, agent string) (Requests, error) {
	file, err := os.Open(a.Path)
	if err != nil {
		return Requests{}, fmt.Errorf("opening the audit log: %w", err)
	}
	defer file.Close()
	if _, err := file.Seek(mark, io.SeekStart); err != nil {
		return Requests{}, fmt.Errorf("reading the audit log: %w", err)
	}
	return count(file, agent)
}

// entry is what matters of one line of the log.
type entry struct {
	Stage     string
	Verb      string
	UserAgent string
	ObjectRef struct{ Resource, Subresource string }

	ResponseStatus struct{ Code int }
}

func count(log io.Reader, agent string) (Requests, error) {
	r := Requests{Counted: map[Kind]int{}, Failed: map[int]int{}}
	quoted := []byte(`"` + agent + `"`)
	lines := bufio.NewReaderSize(log, 1<<16)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return r, nil // a line without an end is still being written
		}
		if err != nil {
			return r, fmt.Errorf("reading the audit log: %w", err)
		}
		if !bytes.Contains(line, quoted) {
			continue
		}
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			return r, fmt.Errorf("reading the audit log: %w", err)
		}
		if e.UserAgent == agent {
			r.add(e)
		}
	}
}

// The stages at which a request is logged; a watch is logged at two.
const (
	stageStarted  = "ResponseStarted"
	stageComplete = "ResponseComplete"
)

func (r *Requests) add(e entry) {
	switch {
	case e.Verb == "watch" && e.Stage == stageStarted:
		r.Watches++
	case e.Verb != "watch" && e.Stage == stageComplete:
		kind := Kind{Verb: e.Verb, Resource: e.ObjectRef.Resource}
		if e.ObjectRef.Subresource != "" {
			kind.Resource += "/" + e.ObjectRef.Subresource
		}
		r.Counted[kind]++
		if e.ResponseStatus.Code >= 400 {
			r.Failed[e.ResponseStatus.Code]++
		}
	}
}
