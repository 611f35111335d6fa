package e2e

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"sluice.dev/sluice/starter/watch/projection"
)

// told is what a Rollout has told of itself in the course of a case.
type told struct {
	mu    sync.Mutex
	words map[string]bool
	// lags are how long after the beginning of a hold a reader knew of it.
	lags []time.Duration
	step int32
}

// listen begins to read the status of the Rollout whenever it changes.
func (b *bypass) listen() {
	b.told = &told{words: map[string]bool{}}
	ctx, cancel := context.WithCancel(b.ctx)
	var done sync.WaitGroup
	done.Go(func() {
		for ctx.Err() == nil {
			b.listenOnce(ctx)
		}
	})
	b.t.Cleanup(func() {
		cancel()
		done.Wait()
	})
}

// listenOnce reads until the API server ends the watch.
func (b *bypass) listenOnce(ctx context.Context) {
	w, err := b.dynamic.Watch(ctx, metav1.ListOptions{})
	if err != nil {
		select {
		case <-ctx.Done():
		case <-time.After(time.Second): // the API server is away
		}
		return
	}
	defer w.Stop()
	for event := range w.ResultChan() {
		if obj, ok := event.Object.(*unstructured.Unstructured); ok {
			b.hear(ctx, obj, time.Now())
		}
	}
}

// hear keeps what a status tells. A hold that it tells for the first time is
// compared with what the workflow says of its beginning.
func (b *bypass) hear(ctx context.Context, obj *unstructured.Unstructured, at time.Time) {
	var s projection.Status
	fields, _, _ := unstructured.NestedMap(obj.Object, "status")
	if runtime.DefaultUnstructuredConverter.FromUnstructured(fields, &s) != nil {
		return
	}
	b.told.mu.Lock()
	defer b.told.mu.Unlock()
	b.told.words[s.Phase], b.told.words[s.CurrentStepState] = true, true
	for _, c := range s.Conditions {
		b.told.words[c.Type+" "+c.Status+" "+c.Reason] = true
	}
	holds := s.CurrentStepState == projection.StepPaused && s.Phase == projection.PhaseProgressing
	if holds && b.told.step != s.CurrentStepIndex {
		if r, err := b.Status(ctx, b.namespace); err == nil && int32(r.Step) == s.CurrentStepIndex && !r.Paused {
			b.told.lags = append(b.told.lags, at.Sub(r.Since))
		}
	}
	b.told.step = 0
	if holds {
		b.told.step = s.CurrentStepIndex
	}
}

// hasTold requires that the status has told all of this in the course of the
// case.
func (b *bypass) hasTold(words ...string) {
	b.t.Helper()
	b.told.mu.Lock()
	defer b.told.mu.Unlock()
	for _, word := range words {
		require.Contains(b.t, b.told.words, word)
	}
}

// toldInTime requires, after the end of the load, that every hold of a case in
// which nothing was away was readable within a second of its beginning. A machine
// that keeps the load client's requests waiting keeps statuses waiting as well: that
// time comes on top.
func (b *bypass) toldInTime() {
	b.t.Helper()
	b.told.mu.Lock()
	defer b.told.mu.Unlock()
	require.NotEmpty(b.t, b.told.lags)
	lags := slices.Sorted(slices.Values(b.told.lags))
	slowest := lags[len(lags)-1]
	b.t.Logf("%d holds were readable after %s in the middle, %s at most", len(lags), lags[len(lags)/2].Round(time.Millisecond), slowest.Round(time.Millisecond))
	require.Less(b.t, slowest, time.Second+b.busy)
}
