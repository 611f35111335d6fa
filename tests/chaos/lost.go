package chaos

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

const (
	// queued is how long the operation after a lost pod waits for a worker: long
	// enough for the EndpointSlices to say that the pod is gone, and too short for
	// another one to be ready.
	queued = time.Second
	// sick is how long a pod is not ready that goes on to answer.
	sick = 5 * time.Second
)

// losePod takes a pod of canary away when the next change of the route is about
// to begin: the pods have just been found complete, and are no more. A pod that
// has no requests is evicted. One that may have some would take them with it,
// whatever anybody does; if there are others, it stops being ready and answers on.
func (s *sim) losePod() {
	s.frontend.Delay("SetRoute", queued, func() {
		ready := s.readyCanary()
		if len(ready) == 0 {
			return
		}
		last := ready[len(ready)-1]
		switch {
		case !s.carries():
			s.cluster.Evict(last)
		case len(ready) > 1:
			s.watcher.Lost(1)
			s.cluster.Sicken(last, sick)
			time.AfterFunc(2*sick, func() { s.watcher.Lost(-1) })
		}
	})
}

// readyCanary are the pods of canary that are ready, by name.
func (s *sim) readyCanary() []*corev1.Pod {
	var found []*corev1.Pod
	for _, p := range s.cluster.Pods() {
		if strings.HasPrefix(p.Name, s.doc.Workload.Name+"-canary-") && p.DeletionTimestamp == nil && p.Status.Conditions[0].Status == corev1.ConditionTrue {
			found = append(found, p)
		}
	}
	return found
}

// carries says whether requests may go to canary, now or when the route that was
// written last arrives.
func (s *sim) carries() bool {
	for _, g := range s.replicas {
		if g.Exposed(path).Carries() {
			return true
		}
	}
	return s.watcher.Carries()
}
