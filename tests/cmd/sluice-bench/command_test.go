package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/tests/bench"
	"sluice.dev/sluice/tests/bench/report"
)

func TestRefuses(t *testing.T) {
	cases := map[string]struct {
		args []string
		says string
	}{
		"output":      {[]string{"-o", "xml"}, "-o xml: write table or json"},
		"file":        {[]string{"out.json"}, "out.json: a file is for JSON: add -o json"},
		"measurement": {[]string{"--only", "speed"}, "--only speed: there is no such measurement"},
		"negative":    {[]string{"--mass", "-1"}, "cannot be negative"},
		"two files":   {[]string{"-o", "json", "a", "b"}, "accepts at most 1 arg"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			cmd := newCommand()
			cmd.SetArgs(c.args)
			cmd.SetOut(&bytes.Buffer{})
			require.ErrorContains(t, cmd.ExecuteContext(t.Context()), c.says)
		})
	}
}

func TestSizes(t *testing.T) {
	require.Equal(t, bench.Full(), (&options{}).sizes())
	require.Equal(t, bench.Quick(), (&options{quick: true}).sizes())
	changed := (&options{quick: true, mass: 7, massReplicas: 3, held: 8, underWay: 9}).sizes()
	require.Equal(t, []int{7, 3, 8, 9}, []int{changed.Mass, changed.MassReplicas, changed.Held, changed.UnderWay})
	require.Equal(t, bench.Quick().Aborts, changed.Aborts)
}

func TestWrite(t *testing.T) {
	r := &report.Report{Version: "v9"}
	var table, json, both bytes.Buffer
	require.NoError(t, (&options{output: outputTable}).write(r, &table))
	require.True(t, strings.HasPrefix(table.String(), "sluice v9, "))
	require.NoError(t, (&options{output: outputJSON}).write(r, &json))
	require.Contains(t, json.String(), `"version": "v9"`)

	file := filepath.Join(t.TempDir(), "out.json")
	require.NoError(t, (&options{output: outputJSON, file: file}).write(r, &both))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, json.String(), string(text))
	require.Equal(t, table.String(), both.String())
}
