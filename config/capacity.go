package config

// minServing is the least number of pods behind a live route, where the
// workload has as many: with one, its eviction or restart is an outage of the
// route.
const minServing = 2

// NeedCanary returns how many ready canary pods must exist before a weight is
// set, for a workload of total pods: the weight's share of them plus the headroom,
// rounded up, at least two where the workload has two, at most all. It is 0 at
// weight 0. Planning and guarding use this one function.
func (r *Rollout) NeedCanary(weight, total int) int {
	if weight <= 0 {
		return 0
	}
	return r.need(weight, total)
}

// NeedMatch returns how many ready canary pods must exist before a match sends
// requests to them whose share is not known: the least that a route needs. All
// pods of the workload are the safe answer where the match is wide.
func (r *Rollout) NeedMatch(total int) int {
	return r.need(0, total)
}

// NeedStable returns how many ready stable pods must exist while canary has a
// weight, by the same rule. It never falls below what a route needs, because
// some gateways answer with errors where stable is empty.
func (r *Rollout) NeedStable(weight, total int) int {
	return r.need(100-weight, total)
}

// Need returns how many ready canary pods the requests of a step need, for a
// workload of total pods. A step without requests needs none.
func (r *Rollout) Need(s Step, total int) int {
	if !s.routed() {
		return 0
	}
	return max(r.NeedCanary(s.weight(), total), r.NeedMatch(total))
}

// Pods returns how many canary pods a step runs beside a workload of total
// pods: what its document asks for, even if that is less than Need; where the
// document names a weight only, as many as that needs, and where it names a match
// only, whose share of the requests nobody knows, all. A step that has requests
// has at least one.
func (r *Rollout) Pods(s Step, total int) int {
	pods := s.Replicas.Of(total)
	switch {
	case s.Replicas.Implied && len(s.Matches) > 0:
		pods = total
	case s.Replicas.Implied:
		pods = max(pods, r.Need(s, total))
	}
	if s.routed() {
		pods = max(pods, 1)
	}
	return pods
}

// routed tells whether requests go to canary in the step.
func (s Step) routed() bool {
	return len(s.Matches) > 0 || s.weight() > 0
}

func (s Step) weight() int {
	if s.Weight == nil {
		return 0
	}
	return *s.Weight
}

// headroom in percent.
func (r *Rollout) headroom() int {
	if r.Headroom == nil {
		return DefaultHeadroom
	}
	return *r.Headroom
}

// SameCapacity reports whether two documents have the same headroom.
func (r *Rollout) SameCapacity(other *Rollout) bool { return r.headroom() == other.headroom() }

func (r *Rollout) need(share, total int) int {
	share = max(0, min(share, 100))
	total = max(0, total)
	wanted := (int64(total)*int64(share)*int64(100+r.headroom()) + 9999) / 10000
	return min(max(int(wanted), minServing), total)
}
