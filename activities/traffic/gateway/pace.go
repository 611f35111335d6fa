package gateway

import (
	"sync/atomic"
	"time"
)

// share is the part of a second that each change which waits for its
// confirmation adds to the pause between two looks, so that all together look at
// one replica no more than 200 times a second, however many rollouts there are.
const share = 5 * time.Millisecond

// pace slows those down who ask the replicas of the gateways when they are many.
// The zero value is ready.
type pace struct {
	waiting atomic.Int64
}

// enter counts one change that waits for its confirmation, until the returned
// function is called.
func (p *pace) enter() (leave func()) {
	p.waiting.Add(1)
	return func() { p.waiting.Add(-1) }
}

// pause returns the pause that is due: the usual one, while few ask.
func (p *pace) pause(usual time.Duration) time.Duration {
	return max(usual, time.Duration(p.waiting.Load())*share)
}
