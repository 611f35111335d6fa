package proc_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/tests/sandbox/proc"
)

func TestWrongPartsAreRefused(t *testing.T) {
	sleep := proc.Part{Name: "sleep", Path: "/bin/sleep", Args: []string{"1000"}}
	for name, c := range map[string]struct {
		parts []proc.Part
		want  string
	}{
		"twice":        {[]proc.Part{sleep, sleep}, "part sleep is named twice"},
		"unknown task": {[]proc.Part{{Name: "t", Task: "nothing"}}, `unknown task "nothing"`},
		"neither":      {[]proc.Part{{Name: "t"}}, "a program or a task"},
		"both":         {[]proc.Part{{Name: "t", Path: "/bin/true", Task: "ok"}}, "and not both"},
		"later need":   {[]proc.Part{{Name: "a", Task: "ok", Needs: []string{"b"}}, {Name: "b", Task: "ok"}}, "a needs b, which is not named before it"},
		"itself":       {[]proc.Part{{Name: "a", Task: "ok", Needs: []string{"a"}}}, "not named before it"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := proc.New(c.parts, map[string]proc.Task{"ok": succeed}, ignore)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestOrderOfStartAndStop(t *testing.T) {
	dir := t.TempDir()
	var order history
	part := func(name string, needs ...string) proc.Part {
		return proc.Part{
			Name: name, Path: "/bin/sleep", Args: []string{"1000"},
			Log: filepath.Join(dir, name), Needs: needs,
		}
	}
	s, err := proc.New([]proc.Part{
		part("base"), part("middle", "base"), {Name: "task", Task: "ok", Needs: []string{"middle"}}, part("top", "task"),
	}, map[string]proc.Task{"ok": succeed}, order.note)
	require.NoError(t, err)
	require.NoError(t, s.StartAll(t.Context()))
	require.Equal(t, []string{"base ready", "middle ready", "task done", "top ready"}, order.of(proc.Ready, proc.Done))
	require.Equal(t, proc.PhaseReady, s.Status(t.Context()).Phase)

	require.NoError(t, s.StopAll(t.Context()))
	require.Equal(t, []string{"top stopped", "middle stopped", "base stopped"}, order.of(proc.Stopped))
	require.Equal(t, proc.PhaseDegraded, s.Status(t.Context()).Phase)
}

func TestFailureEndsTheStart(t *testing.T) {
	s, err := proc.New([]proc.Part{
		{Name: "bad", Task: "bad"}, {Name: "behind", Task: "ok", Needs: []string{"bad"}},
	}, map[string]proc.Task{"ok": succeed, "bad": func(context.Context) error { return errors.New("out of luck") }}, ignore)
	require.NoError(t, err)
	require.EqualError(t, s.StartAll(t.Context()), "bad: out of luck")
	status, _ := s.Snapshot()
	require.Equal(t, proc.PhaseFailed, status.Phase)
	require.Equal(t, "bad: out of luck", status.Error)
	require.Equal(t, proc.Failed, status.Parts[0].State)
	require.Equal(t, proc.Waiting, status.Parts[1].State)
}

func TestStubbornPartIsKilledWhenTimeIsUp(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	s, err := proc.New([]proc.Part{{
		Name: "stubborn", Path: "/bin/sh", Args: []string{"-c", "trap '' TERM; echo here; while :; do sleep 0.05; done"}, Log: log,
	}}, nil, ignore)
	require.NoError(t, err)
	require.NoError(t, s.StartAll(t.Context()))
	require.Eventually(t, func() bool {
		text, err := os.ReadFile(log)
		return err == nil && string(text) == "here\n"
	}, patience, tick)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, s.StopAll(over))
	require.Equal(t, proc.Stopped, s.Status(t.Context()).Parts[0].State)
}

func TestProbe(t *testing.T) {
	status := http.StatusServiceUnavailable
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
	}))
	defer server.Close()
	address := server.Listener.Addr().String()
	probe := &proc.Probe{TCP: []string{address}, URL: server.URL}
	require.ErrorContains(t, probe.Check(t.Context()), "503")
	status = http.StatusNoContent
	require.NoError(t, probe.Check(t.Context()))
	server.Close()
	require.ErrorContains(t, probe.Check(t.Context()), "dialling "+address)
	require.NoError(t, (*proc.Probe)(nil).Check(t.Context()))
	require.ErrorContains(t, (&proc.Probe{URL: server.URL, CA: "/no/such/file"}).Check(t.Context()), "reading the probe's CA")
}

// patience is how long anything may take on a busy machine.
const (
	patience = 20 * time.Second
	tick     = 10 * time.Millisecond
)

func succeed(context.Context) error { return nil }

func ignore(proc.PartStatus) {}

// history notes the states that parts go through.
type history struct {
	mu   sync.Mutex
	seen []proc.PartStatus
}

func (h *history) note(s proc.PartStatus) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seen = append(h.seen, s)
}

// of returns when parts came to be in one of the states, in order.
func (h *history) of(states ...proc.State) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []string
	for _, s := range h.seen {
		for _, state := range states {
			if s.State == state {
				out = append(out, s.Name+" "+string(s.State))
			}
		}
	}
	return out
}
