package config

// Headroom is the share of pods, in percent, that both sides get beyond what
// their share of the requests asks for, so that losing one pod or a weight that
// is kept only on average overloads neither.
const Headroom = 10

// minServing is the least number of pods behind a live route, where the
// workload has as many: with one, its eviction or restart is an outage of the
// route.
const minServing = 2

// NeedCanary returns how many ready canary pods must exist before a weight is
// set, for a workload of total pods: the weight's share of them plus Headroom,
// rounded up, at least two where the workload has two, at most all. It is 0 at
// weight 0. Planning and guarding use this one function.
func NeedCanary(weight, total int) int {
	if weight <= 0 {
		return 0
	}
	return need(weight, total)
}

// NeedMatch returns how many ready canary pods must exist before a match sends
// requests to them whose share is not known: the least that a route needs. All
// pods of the workload are the safe answer where the match is wide.
func NeedMatch(total int) int {
	return need(0, total)
}

// NeedStable returns how many ready stable pods must exist while canary has a
// weight, by the same rule. It never falls below what a route needs, because
// some gateways answer with errors where stable is empty.
func NeedStable(weight, total int) int {
	return need(100-weight, total)
}

// Need returns how many ready canary pods the requests of the step need, for a
// workload of total pods. A step without requests needs none.
func (s Step) Need(total int) int {
	if !s.routed() {
		return 0
	}
	return max(NeedCanary(s.weight(), total), NeedMatch(total))
}

// Pods returns how many canary pods the step runs beside a workload of total
// pods: what its document asks for, even if that is less than Need; where the
// document names a weight only, as many as that needs, and where it names a match
// only, whose share of the requests nobody knows, all. A step that has requests
// has at least one.
func (s Step) Pods(total int) int {
	pods := s.Replicas.Of(total)
	switch {
	case s.Replicas.Implied && len(s.Matches) > 0:
		pods = total
	case s.Replicas.Implied:
		pods = max(pods, s.Need(total))
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

func need(share, total int) int {
	share = max(0, min(share, 100))
	total = max(0, total)
	wanted := (int64(total)*int64(share)*(100+Headroom) + 9999) / 10000
	return min(max(int(wanted), minServing), total)
}
