package workflows

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"go.temporal.io/sdk/converter"
)

// parseMessage reads what a person, a bot or a program has sent: nothing, null,
// a bare string, a step number, an object, an object inside a string, or a list
// with one of these. Anything else is an error that says what is understood. A
// signal that is understood leaves a marker in the history, so that which ones are
// must not change; the texts of errors may.
func parseMessage(raw converter.RawValue) (Message, error) {
	payload := raw.Payload()
	if payload == nil || len(payload.GetData()) == 0 {
		return Message{}, nil
	}
	switch encoding := string(payload.GetMetadata()[converter.MetadataEncoding]); encoding {
	case converter.MetadataEncodingJSON, converter.MetadataEncodingProtoJSON:
		// Temporal carries no other text: an answer that quotes it could not be sent.
		return parseJSON(bytes.ToValidUTF8(payload.GetData(), []byte("\uFFFD")), 0)
	case converter.MetadataEncodingNil:
		return Message{}, nil
	default:
		return Message{}, fmt.Errorf("the payload has encoding %q: send JSON, or nothing", encoding)
	}
}

// maxNesting bounds strings within strings and lists within lists.
const maxNesting = 3

var errNesting = errors.New("the payload is nested too deeply: send an object such as {\"step\":1}")

func parseJSON(data []byte, depth int) (Message, error) {
	if depth > maxNesting {
		return Message{}, errNesting
	}
	data = bytes.TrimSpace(data)
	if len(data) == 0 || bytes.Equal(data, []byte("null")) {
		return Message{}, nil
	}
	switch data[0] {
	case '{':
		return parseObject(data)
	case '[':
		return parseList(data, depth)
	case '"':
		return parseString(data, depth)
	}
	var step int
	if err := json.Unmarshal(data, &step); err != nil {
		return Message{}, fmt.Errorf("the payload %.40s is not understood: send nothing, or an object such as {\"step\":1}", data)
	}
	return checkMessage(Message{Step: step})
}

func parseObject(data []byte) (Message, error) {
	var m Message
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&m); err != nil {
		return Message{}, fmt.Errorf("the payload is not understood (%s): known fields are %s", explainJSON(err), knownFields)
	}
	return checkMessage(m)
}

// knownFields of a Message, for people.
const knownFields = "step, revision, run, by, reason, full, skipAnalysis, adopt, change, rollout and id"

// explainJSON says what is wrong with an object, in the words of who wrote it.
func explainJSON(err error) string {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return fmt.Sprintf("%s cannot be a JSON %s", cmp.Or(wrong.Field, "the payload"), wrong.Value)
	}
	return err.Error()
}

func parseList(data []byte, depth int) (Message, error) {
	var items []json.RawMessage
	if err := json.Unmarshal(data, &items); err != nil {
		return Message{}, fmt.Errorf("the payload is not JSON: %w", err)
	}
	switch len(items) {
	case 0:
		return Message{}, nil
	case 1:
		return parseJSON(items[0], depth+1)
	}
	return Message{}, fmt.Errorf("the payload is a list of %d: send one object", len(items))
}

// parseString reads an object that was sent as text; other text is a reason.
func parseString(data []byte, depth int) (Message, error) {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return Message{}, fmt.Errorf("the payload is not JSON: %w", err)
	}
	if trimmed := strings.TrimSpace(text); strings.HasPrefix(trimmed, "{") || strings.HasPrefix(trimmed, "[") {
		return parseJSON([]byte(trimmed), depth+1)
	}
	return checkMessage(Message{Reason: text})
}

// maxText bounds what a message may add to the history.
const maxText = 1000

func checkMessage(m Message) (Message, error) {
	if m.Step < 0 {
		return m, fmt.Errorf("step %d does not exist: steps are counted from 1", m.Step)
	}
	if max(len(m.Reason), len(m.By), len(m.ID)) > maxText {
		return m, fmt.Errorf("reason, by and id may have at most %d bytes each", maxText)
	}
	return m, nil
}
