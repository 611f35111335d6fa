package chaos

import (
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/workflows"
)

// implied is a step by weight whose pods follow from the weight.
func implied(weight int) config.Step {
	s := weighted(weight, 0)
	s.Replicas = config.Amount{Value: weight, Percent: true, Implied: true}
	return s
}

// scaled are scenarios in which the size of the workload decides how many pods
// canary has, and changes at holds.
func scaled() []Scenario {
	to := func(n int) Act { return Act{Verb: workflows.VerbPromote, Scale: n} }
	share := weighted(30, 0)
	share.Replicas = config.Amount{Value: 40, Percent: true}
	return []Scenario{
		{Name: "scale-implied", Pods: 4, Steps: []config.Step{implied(20), implied(60)}, Holds: []Act{to(6), to(9)}},
		{Name: "scale-percent", Pods: 5, Steps: []config.Step{share}, Holds: []Act{to(10)}},
		{Name: "scale-selector", Pods: 3, Steps: []config.Step{implied(50)}, Isolation: config.IsolateBySelector, Holds: []Act{to(6)}},
	}
}

// autoscaled are scenarios in which the rollout keeps an autoscaler of the workload
// from scaling it down, and gives it back what it had.
func autoscaled() []Scenario {
	steps := []config.Step{implied(30)}
	return []Scenario{
		{Name: "autoscaled", Pods: 4, Autoscaled: true, Steps: steps},
		{Name: "autoscaled-abort", Pods: 4, Autoscaled: true, Steps: steps, Holds: []Act{{Verb: workflows.VerbAbort}}},
	}
}
