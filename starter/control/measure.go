package control

import (
	"go.temporal.io/sdk/converter"

	"sluice.dev/sluice/activities/analysis"
)

// liveSamples is how many samples of a running analysis a status carries.
const liveSamples = 20

// measure fills in the numbers of the analyses that run: they are in the
// heartbeats of their activities, which only Temporal knows.
func (s *Status) measure(d description) {
	for _, pending := range d.GetPendingActivities() {
		payloads := pending.GetHeartbeatDetails().GetPayloads()
		if pending.GetActivityType().GetName() != analysisActivity || len(payloads) == 0 {
			continue
		}
		var state analysis.State
		if converter.GetDefaultDataConverter().FromPayload(payloads[0], &state) != nil {
			continue
		}
		for i := range s.Analyses {
			if s.Analyses[i].Running && s.Analyses[i].Activity == pending.GetActivityId() {
				s.Analyses[i].State = state.Brief(liveSamples)
			}
		}
	}
}

// measuring says that an analysis runs.
func (s *Status) measuring() bool {
	for _, a := range s.Analyses {
		if a.Running {
			return true
		}
	}
	return false
}
