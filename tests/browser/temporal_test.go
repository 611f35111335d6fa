package browser

import (
	"net/url"

	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/converter"

	"sluice.dev/sluice/workflows"
)

// Tabs of a workflow's page, and the key that reads the current details anew.
const (
	tabHistory  = "history"
	tabMetadata = "user-metadata"
	tabTimeline = "timeline"
	keyFreshen  = "r"
)

// completed is how the page calls a workflow that has ended without an error.
const completed = "COMPLETED"

// open goes to a tab of the rollout's page.
func (s *story) open(tab string) {
	s.t.Helper()
	base := s.Sandbox.State().Outside.TemporalUI
	s.page.open(base + "/namespaces/default/workflows/" + url.QueryEscape(s.id()) + "/" + s.run + "/" + tab)
}

// Elements of the dialog for signals.
const (
	dialog       = "dialog[open]"
	dialogNames  = dialog + " [data-testid=signal-select-button]"
	dialogName   = dialog + " [role=option]"
	dialogData   = dialog + " [role=textbox][aria-label=Data]"
	dialogSubmit = dialog + " button[type=submit]"
)

// openSignals opens the page's dialog for signals with the list of their names.
func (p *page) openSignals() {
	p.t.Helper()
	p.click("button", "More Actions")
	p.click("[role=menuitem]", "Send a Signal")
	p.click(dialogNames, "")
	p.offered(dialogName, string(workflows.VerbPromote))
}

// sendSignal chooses a name in the open dialog, writes a payload unless it is
// empty, keeps a picture, and submits.
func (p *page) sendSignal(name, payload, picture string) {
	p.t.Helper()
	p.click(dialogName, name)
	if payload != "" {
		p.write(dialogData, payload)
		// The editor lays the payload out when it is left. If a click does that,
		// the dialog moves away from under the mouse: leave it by key.
		p.press(kb.Tab)
		p.gone(dialogData + ":focus")
	}
	p.picture(picture)
	p.click(dialogSubmit, "Submit")
	p.gone(dialog)
}

// summaries returns the summary of each activity and timer so far; none may be
// without.
func (s *story) summaries() []string {
	s.t.Helper()
	var texts []string
	events := s.Temporal.GetWorkflowHistory(s.ctx, s.id(), s.run, false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		require.NoError(s.t, err)
		switch e.GetEventType() {
		case enums.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, enums.EVENT_TYPE_TIMER_STARTED:
			var text string
			require.NoError(s.t, converter.GetDefaultDataConverter().FromPayload(e.GetUserMetadata().GetSummary(), &text), "summary of event %d", e.GetEventId())
			require.NotEmpty(s.t, text, "summary of event %d", e.GetEventId())
			texts = append(texts, text)
		default:
		}
	}
	return texts
}
