package bench

import (
	"fmt"
	"time"
)

// Sizes say how often and how many.
type Sizes struct {
	// FirstWeight, Aborts, Seeds and Restarts are numbers of runs.
	FirstWeight, Aborts, Seeds, Restarts int
	// Levels is how often the seed is released with each level of confirmation.
	Levels int
	// Holds is the number of writes that are held, Slips that of those that are not
	// because the webhook is away.
	Holds, Slips int
	// Rest is how long Rollouts are watched to which nothing happens.
	Rest time.Duration
	// Promotes in all, and in one rollout.
	Promotes, PromotesPerRollout int
	// Thought is what a person takes at each hold of the seed's rollout.
	Thought time.Duration
	// Mass is the number of rollouts at once, of workloads of MassReplicas pods.
	Mass, MassReplicas int
	// Held is the number of held rollouts, and Idle how long they are watched.
	Held int
	Idle time.Duration
	// UnderWay is the number of rollouts with which the worker is killed.
	UnderWay int
}

// Full returns the sizes of a whole run, of an hour and a half.
func Full() Sizes {
	return Sizes{
		FirstWeight: 10, Aborts: 20, Seeds: 5, Restarts: 3, Levels: 5,
		// Every watch ends once within 10 minutes, and the webhook is looked at.
		Holds: 200, Slips: 15, Rest: 11 * time.Minute,
		Promotes: 50, PromotesPerRollout: 25,
		Thought: 3 * time.Second,
		Mass:    200, MassReplicas: 5,
		Held: 1000, Idle: 30 * time.Second,
		UnderWay: 50,
	}
}

// Quick returns sizes that show in about ten minutes that everything runs.
func Quick() Sizes {
	return Sizes{
		FirstWeight: 1, Aborts: 2, Seeds: 1, Restarts: 1, Levels: 1,
		Holds: 5, Slips: 1, Rest: time.Second,
		Promotes: 3, PromotesPerRollout: 3,
		Thought: 200 * time.Millisecond,
		Mass:    4, MassReplicas: 2,
		Held: 5, Idle: time.Second,
		UnderWay: 4,
	}
}

// describe tells the sizes in the report.
func (s Sizes) describe() map[string]string {
	return map[string]string{
		"many rollouts at once": fmt.Sprintf("%d, of workloads of %d pods on fake nodes", s.Mass, s.MassReplicas),
		"held rollouts":         fmt.Sprintf("%d, of workloads of 1 pod on fake nodes, idle for %s", s.Held, s.Idle),
		"Rollouts at rest":      fmt.Sprintf("%d, watched for %s", s.Held, s.Rest),
		"rollouts under way":    fmt.Sprintf("%d when the worker is killed", s.UnderWay),
		"thought":               s.Thought.String() + " at each hold of the seed's rollout",
	}
}
