package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func shell(do action, script string) step {
	return step{dir: ".", do: do, args: []string{"sh", "-c", script}}
}

func TestRunAll(t *testing.T) {
	for name, c := range map[string]struct {
		suites []suite
		code   int
		lines  []string
	}{
		"all pass": {
			[]suite{{name: "one", steps: []step{shell(check, "echo fine"), shell(quiet, "true")}}, {name: "two", steps: []step{shell(build, "echo built")}}},
			0, []string{`(?m)^ok    one           2 passed   0 failed`, `(?m)^      built$`, `(?m)^ok    two           0 passed`, `\n2 passed, 0 failed\n$`},
		},
		"the rest is not run": {
			[]suite{{name: "one", steps: []step{shell(check, "echo reason; false"), shell(check, "echo never")}}, {name: "two", steps: []step{shell(check, "true")}}},
			1, []string{`(?m)^FAIL  one           0 passed   1 failed`, `(?m)^      reason$`, `(?m)^      all of it is in artefacts/test/one.log$`, `(?m)^1 more suites were not run$`, `\n0 passed, 1 failed\n$`},
		},
		"a quiet step that speaks": {
			[]suite{{name: "one", steps: []step{shell(quiet, "echo main.go")}}},
			1, []string{`(?m)^      main.go$`, `\n0 passed, 1 failed\n$`},
		},
		"a build that fails": {
			[]suite{{name: "one", steps: []step{shell(build, "exit 3")}}},
			1, []string{`running sh -c exit 3: exit status 3`, `\n0 passed, 1 failed\n$`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			root := t.TempDir()
			r := &runner{root: root, all: c.suites, screen: &screen{out: &out}}
			require.Equal(t, c.code, runAll(t.Context(), r, c.suites))
			for _, line := range c.lines {
				require.Regexp(t, line, out.String())
			}
			require.NotContains(t, out.String(), "never")
			log, err := os.ReadFile(filepath.Join(root, logFolder, "one.log"))
			require.NoError(t, err)
			require.Contains(t, string(log), "$ cd . && sh -c ")
		})
	}
}

func TestShardsShareThePackage(t *testing.T) {
	root := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(text), 0o600))
	}
	write("go.mod", "module example.com/sharded\n")
	write("a_test.go", `package sharded

import ("os"; "testing")

func TestOne(t *testing.T)   { record(t) }
func TestTwo(t *testing.T)   { record(t) }
func TestThree(t *testing.T) { record(t) }

var together []string

func record(t *testing.T) {
	together = append(together, t.Name())
	if err := os.WriteFile(t.Name()+".ran", nil, 0o600); err != nil { t.Fatal(err) }
	if len(together) == 3 { t.Fatal("all in one process") }
}
`)
	var out bytes.Buffer
	r := &runner{root: root, screen: &screen{out: &out}}
	sharded := suite{name: "one", steps: []step{{dir: ".", do: tests, args: []string{"."}, shards: 2}}}
	require.Zero(t, runAll(t.Context(), r, []suite{sharded}), out.String())
	require.Contains(t, out.String(), "\n3 passed, 0 failed\n")
	for _, name := range []string{"TestOne", "TestTwo", "TestThree"} {
		require.FileExists(t, filepath.Join(root, name+".ran"))
	}

	write("b_test.go", "package sharded\n\nimport \"testing\"\n\nfunc TestBad(t *testing.T) { t.Fatal(\"reason\") }\n")
	out.Reset()
	require.Equal(t, 1, runAll(t.Context(), r, []suite{sharded}))
	require.Contains(t, out.String(), "reason")
	require.Contains(t, out.String(), "\n3 passed, 1 failed\n")
}

func TestSplit(t *testing.T) {
	require.Equal(t, [][]string{{"a", "c"}, {"b"}}, split([]string{"a", "b", "c"}, 2))
	require.Equal(t, [][]string{{"a"}}, split([]string{"a"}, 2))
}

func TestInterruptEndsTheCommand(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var out bytes.Buffer
	root := t.TempDir()
	r := &runner{root: root, screen: &screen{out: &out}}
	mark := filepath.Join(root, "begun")
	done := make(chan int, 1)
	go func() {
		done <- runAll(ctx, r, []suite{{name: "one", steps: []step{shell(check, "touch "+mark+"; sleep 60")}}})
	}()
	require.Eventually(t, func() bool { _, err := os.Stat(mark); return err == nil }, killAfter/2, redrawEvery/10)
	cancel()
	require.Equal(t, 130, <-done)
	require.Contains(t, out.String(), "interrupted\n")
}

func TestTail(t *testing.T) {
	require.Nil(t, tail("\n", 2))
	require.Equal(t, []string{"a", "b"}, tail("a\nb\n", 2))
	require.Equal(t, []string{"(1 lines before)", "b", "c"}, tail("a\nb\nc\n", 2))
}

func TestCut(t *testing.T) {
	lines := cut([]string{"short", strings.Repeat("ä", cutAt)})
	require.Equal(t, "short", lines[0])
	require.Equal(t, strings.Repeat("ä", cutAt/2)+"...", lines[1])
}
