package workload

import (
	"k8s.io/apimachinery/pkg/util/intstr"

	"sluice.dev/sluice/activities/release"
)

// PeakPods is how many pods more than its own a release of a workload needs at
// its peak: the canary at full size, and the surge of either the workload or the
// canary. It needs no more than one of both at a time.
func PeakPods(replicas int, b release.Baseline) int {
	return replicas + max(surgeOf(coverSurge(b), replicas), surgeOf(intstr.FromString(canarySurge), replicas))
}

// surgeOf scales a maxSurge as the Deployment controller does; what it could not
// read, the API server would not have taken.
func surgeOf(surge intstr.IntOrString, replicas int) int {
	n, err := intstr.GetScaledValueFromIntOrPercent(&surge, replicas, true)
	if err != nil {
		return 1
	}
	return n
}
