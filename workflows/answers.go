package workflows

// answers are those that were given to messages with an ID, so that each acts
// once however often it arrives. Refused messages are not kept: they did nothing.
type answers []answer

type answer struct{ id, text string }

// find returns the answer that a message was given before.
func (a answers) find(id string) (string, bool) {
	if id == "" {
		return "", false
	}
	for _, given := range a {
		if given.id == id {
			return given.text, true
		}
	}
	return "", false
}

// with keeps an answer, as many as the status keeps decisions.
func (a answers) with(id, text string) answers {
	if id == "" {
		return a
	}
	return bounded(append(a, answer{id: id, text: text}))
}
