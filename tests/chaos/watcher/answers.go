package watcher

import (
	"math"

	appsv1 "k8s.io/api/apps/v1"

	"sluice.dev/sluice/tests/chaos/gateway"
	"sluice.dev/sluice/tests/chaos/oracle"
)

// answers is the account of what clients were answered.
type answers struct {
	// superseded is the image of a revision that is to be replaced; emptied says
	// that its pods were told to go.
	superseded string
	emptied    bool
	share      map[*gateway.Replica]*share
}

// share counts answers to everybody since a hold began.
type share struct{ asked, canary int }

// fewest answers of which a share says something.
const fewest = 60

// Revised says that a revision is asked for that replaces the one of an image.
func (w *Watcher) Revised(image string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answers.superseded, w.answers.emptied = image, false
}

// Hold says that a step has begun to hold: what clients see is its share.
func (w *Watcher) Hold(step int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answers.share = map[*gateway.Replica]*share{}
	for _, g := range w.Replicas {
		w.answers.share[g] = &share{}
	}
	weight := 100
	if step <= len(w.Document.Steps) {
		weight = 0
		if wanted := w.Document.Steps[step-1].Weight; wanted != nil {
			weight = *wanted
		}
	}
	for _, g := range w.Replicas {
		if e := g.Exposed(w.Path); e.Weight != weight {
			w.breaks("I17", "step %d holds with weight %d at %s, not %d", step, e.Weight, g.Name, weight)
		}
	}
}

// Answered takes an answer: which replica sent which request where.
func (w *Watcher) Answered(g *gateway.Replica, r oracle.Request, a gateway.Answer, image string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.supersession(a, image)
	s := w.answers.share[g]
	if s == nil {
		return
	}
	e := g.Exposed(w.Path)
	if e.Match && r.Header.Get("User-Agent") == "android" {
		return // that is no share: all of them go to canary
	}
	if e.Weight == 0 || e.Weight == e.Total || w.routes.weight != e.Weight {
		delete(w.answers.share, g)
		return
	}
	s.asked++
	if a.Canary {
		s.canary++
	}
	want := float64(s.asked) * float64(e.Weight) / float64(e.Total)
	if s.asked >= fewest && math.Abs(float64(s.canary)-want) > 0.1*float64(s.asked) {
		w.breaks("I20", "%s sends %d of %d requests to canary at weight %d", g.Name, s.canary, s.asked, e.Weight)
	}
}

// replaced notes that the canary Deployment has the template of another revision
// than the one that was superseded.
func (w *Watcher) replaced(canary *appsv1.Deployment) {
	for _, c := range canary.Spec.Template.Spec.Containers {
		w.answers.emptied = w.answers.emptied || w.answers.superseded != "" && c.Image != w.answers.superseded
	}
}

// supersession is I16: a revision that was replaced gets no request once its
// pods begin to go.
func (w *Watcher) supersession(a gateway.Answer, image string) {
	if w.answers.emptied && a.Canary && image == w.answers.superseded {
		w.breaks("I16", "a request goes to %s, which was replaced", image)
	}
}
