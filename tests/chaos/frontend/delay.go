package frontend

import "time"

// delay holds the next activity of a kind back.
type delay struct {
	kind  string
	until time.Duration
	do    func()
}

// Delay keeps the next activity of a kind from every worker for a time, as a
// busy server or a full queue does; when that begins, do is called.
func (s *Server) Delay(kind string, d time.Duration, do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delays = append(s.delays, delay{kind: kind, until: d, do: do})
}

// offerNew lets a worker take the first attempt, at once or after a delay. The
// lock is held.
func (a *activity) offerNew() {
	s := a.server
	for i, d := range s.delays {
		if d.kind == a.spec.ActivityType.GetName() {
			s.delays = append(s.delays[:i:i], s.delays[i+1:]...)
			go d.do()
			time.AfterFunc(d.until, s.locked(a.offer))
			return
		}
	}
	a.offer()
}
