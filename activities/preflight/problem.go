package preflight

import (
	"fmt"
	"strings"

	"go.temporal.io/sdk/temporal"

	"sluice.dev/sluice/activities/kube"
)

// Problem is one reason why a release is refused.
type Problem struct {
	// Object that it is about: kind and name, and the field where there is one.
	Object string `json:"object"`
	// Problem says what is so.
	Problem string `json:"problem"`
	// Remedy says what to do.
	Remedy string `json:"remedy"`
}

// String is the problem in one sentence.
func (p Problem) String() string { return fmt.Sprintf("%s: %s: %s", p.Object, p.Problem, p.Remedy) }

// refusal is the error for all problems at once; nil if there are none.
func refusal(req InspectRequest, problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	lines := make([]string, len(problems))
	for i, p := range problems {
		lines[i] = p.String()
	}
	message := fmt.Sprintf("releasing %s %s/%s is refused, nothing was touched: %s",
		req.Rollout.Workload.Kind, req.Rollout.Namespace, req.Rollout.Workload.Name, strings.Join(lines, "; "))
	return temporal.NewNonRetryableApplicationError(message, kube.ErrRefused, nil, problems)
}
