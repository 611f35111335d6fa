package workflows

import (
	"fmt"
	"slices"
	"strings"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"sluice.dev/sluice/config"
)

// synonyms are names, in lower case, that people give to verbs as signals. A word
// that some would mean as pause and others as abort, such as stop, is none.
var synonyms = []struct {
	name string
	verb Verb
}{
	{"approve", VerbPromote},
	{"continue", VerbPromote},
	{"rollback", VerbAbort},
	{"cancel", VerbAbort},
	{"unpause", VerbResume},
}

// meant returns the verb that somebody meant with a name: the verb itself or a
// synonym, in any case and with spaces around it.
func meant(name string) (Verb, bool) {
	name = strings.ToLower(strings.TrimSpace(name))
	if slices.Contains(Verbs, Verb(name)) {
		return Verb(name), true
	}
	for _, s := range synonyms {
		if s.name == name {
			return s.verb, true
		}
	}
	return "", false
}

// unknownName says that a signal has no meaning, and which verb is near.
func unknownName(name string) error {
	var known, verbs []string
	for _, verb := range Verbs {
		known, verbs = append(known, string(verb)), append(verbs, string(verb))
	}
	for _, s := range synonyms {
		known = append(known, s.name)
	}
	text := "there is no such signal"
	if verb, ok := meant(config.Nearest(name, known)); ok {
		text += fmt.Sprintf(", did you mean %s?", verb)
	}
	return fmt.Errorf("%s: send one of %s", text, strings.Join(verbs, ", "))
}

// overhear answers signals that nothing else reads, for ever: a synonym acts as
// its verb, any other name is refused when it comes for the first time. Without
// that, a person who sends one learns nothing.
func (r *run) overhear(ctx workflow.Context) {
	// A cancelled rollout returns to stable, and goes on to answer meanwhile.
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	told := map[string]bool{}
	for {
		var names []string
		_ = workflow.Await(ctx, func() bool {
			names = unread(ctx, told)
			return len(names) > 0
		})
		for _, name := range names {
			verb, ok := meant(name)
			if ok && takesSynonyms(ctx) {
				r.receiveAll(ctx, verb, name)
				continue
			}
			told[name] = true
			r.noteDecision(ctx, Verb(brief(name)), Message{}, "signal", "", unknownName(name))
		}
	}
}

// unread are the names of signals that are neither verbs nor told, sorted, because
// the SDK has them in the order of a map.
func unread(ctx workflow.Context, told map[string]bool) []string {
	names := slices.DeleteFunc(workflow.GetUnhandledSignalNames(ctx), func(name string) bool {
		return told[name] || slices.Contains(Verbs, Verb(name))
	})
	slices.Sort(names)
	return names
}

// receiveAll takes all signals of a synonym that have come.
func (r *run) receiveAll(ctx workflow.Context, verb Verb, name string) {
	channel := workflow.GetSignalChannelWithOptions(ctx, name, workflow.SignalChannelOptions{Description: "The same as " + string(verb) + "."})
	for {
		var raw converter.RawValue
		if !channel.ReceiveAsync(&raw) {
			return
		}
		r.signalled(ctx, verb, raw)
	}
}
