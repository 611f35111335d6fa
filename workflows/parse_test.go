package workflows

import (
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
)

func payload(encoding, data string) converter.RawValue {
	return converter.NewRawValue(&commonpb.Payload{
		Metadata: map[string][]byte{converter.MetadataEncoding: []byte(encoding)}, Data: []byte(data),
	})
}

func TestMessagesAreReadAsPeopleSendThem(t *testing.T) {
	cases := map[string]struct {
		raw     converter.RawValue
		want    Message
		problem string
	}{
		"nothing":             {raw: converter.RawValue{}},
		"null":                {raw: payload("json/plain", "null")},
		"empty":               {raw: payload("json/plain", "")},
		"nil of the SDK":      {raw: payload("binary/null", "")},
		"a word":              {raw: payload("json/plain", `"ok"`), want: Message{Reason: "ok"}},
		"a number":            {raw: payload("json/plain", "2"), want: Message{Step: 2}},
		"an object":           {raw: payload("json/plain", `{"step":2,"by":"ann"}`), want: Message{Step: 2, By: "ann"}},
		"an object in text":   {raw: payload("json/plain", `"{\"step\":5}"`), want: Message{Step: 5}},
		"a list of one":       {raw: payload("json/plain", `[{"step":6}]`), want: Message{Step: 6}},
		"an empty list":       {raw: payload("json/plain", `[]`)},
		"protobuf JSON":       {raw: payload("json/protobuf", `{"full":true}`), want: Message{Full: true}},
		"bytes in a text":     {raw: payload("json/plain", "\"a\xffb\""), want: Message{Reason: "a\uFFFDb"}},
		"bytes for nothing":   {raw: payload("binary/null", "\xff")},
		"a list of two":       {raw: payload("json/plain", `[1,2]`), problem: "list of 2"},
		"a misspelt field":    {raw: payload("json/plain", `{"stepp":2}`), problem: "known fields are"},
		"a wrong type":        {raw: payload("json/plain", `{"step":"two"}`), problem: "step cannot be a JSON string"},
		"bytes":               {raw: payload("json/plain", "\xff\xfe\x00"), problem: "the payload \uFFFD"},
		"true":                {raw: payload("json/plain", `true`), problem: "not understood"},
		"half an object":      {raw: payload("json/plain", `{"step":`), problem: "not understood"},
		"a negative step":     {raw: payload("json/plain", `-1`), problem: "counted from 1"},
		"encrypted":           {raw: payload("binary/encrypted", "xx"), problem: "binary/encrypted"},
		"nested without end":  {raw: payload("json/plain", `[[[[[[1]]]]]]`), problem: "nested too deeply"},
		"a very long reason":  {raw: payload("json/plain", `{"reason":"`+strings.Repeat("x", 2000)+`"}`), problem: "at most"},
		"a number with point": {raw: payload("json/plain", `1.5`), problem: "not understood"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			m, err := parseMessage(c.raw)
			if c.problem != "" {
				require.ErrorContains(t, err, c.problem)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, m)
		})
	}
}

func TestAnswersNameEveryField(t *testing.T) {
	fields := reflect.TypeFor[Message]()
	for i := range fields.NumField() {
		name, _, _ := strings.Cut(fields.Field(i).Tag.Get("json"), ",")
		require.Contains(t, strings.FieldsFunc(knownFields, func(c rune) bool { return c == ',' || c == ' ' }), name)
	}
}

func FuzzParseMessage(f *testing.F) {
	for _, seed := range []string{`{"step":1}`, "\xff", `{"\xff":1}`, `"ok"`, `[1]`, `null`, `"{\"step\":1}"`, `[[[1]]]`} {
		f.Add("json/plain", seed)
	}
	f.Fuzz(func(t *testing.T, encoding, data string) {
		m, err := parseMessage(payload(encoding, data))
		if err == nil && m.Step < 0 {
			t.Fatalf("a negative step was accepted: %+v", m)
		}
		// Temporal carries no other text: the workflow could not answer.
		if err != nil && !utf8.ValidString(err.Error()) {
			t.Fatalf("the answer is no text: %q", err)
		}
	})
}

func TestMessagesFromBeforeAResetDoNotAct(t *testing.T) {
	r := &run{journal: journal{runID: "new", originalRunID: "old"}}
	require.ErrorContains(t, r.checkRun(VerbPromote, Message{Run: "old"}, "new"), "meant for run old")
	require.ErrorContains(t, r.checkRun(VerbPromote, Message{}, "new"), "came from a reset")
	require.NoError(t, r.checkRun(VerbPromote, Message{Run: "new"}, "new"))
	require.NoError(t, r.checkRun(VerbAbort, Message{}, "new"))
	require.NoError(t, r.checkRun(VerbPause, Message{}, "new"))
	// What was recorded before the reset replays as it was decided then.
	require.NoError(t, r.checkRun(VerbPromote, Message{Run: "old"}, "old"))
	require.NoError(t, r.checkRun(VerbPromote, Message{}, "old"))
}
