package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTableNamesWhatIsThere(t *testing.T) {
	root, err := findRoot()
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, s := range table() {
		require.False(t, seen[s.name], "suite %s is there twice", s.name)
		seen[s.name] = true
		require.NotEmpty(t, s.about)
		require.NotEmpty(t, s.steps)
		for _, st := range s.steps {
			require.DirExists(t, filepath.Join(root, st.dir))
			if st.do != tests {
				continue
			}
			for _, pkg := range st.args {
				require.DirExists(t, filepath.Join(root, st.dir, pkg), "suite %s", s.name)
			}
		}
	}
}

func TestEveryPackageIsInOneSuite(t *testing.T) {
	root, err := findRoot()
	require.NoError(t, err)
	r := &runner{root: root, all: table()}
	packages, err := r.packages(t.Context(), "tests")
	require.NoError(t, err)
	require.Contains(t, packages, "./cmd/suites")
	require.Contains(t, packages, "./sandbox/build")
	require.NotContains(t, packages, "./e2e")
	require.NotContains(t, packages, "./sandbox")
}

func TestChoose(t *testing.T) {
	all := []suite{{name: "a"}, {name: "b"}, {name: "c", extra: true}}
	for name, c := range map[string]struct {
		names, want []string
		fail        string
	}{
		"all but extra": {nil, []string{"a", "b"}, ""},
		"named":         {[]string{"c", "a"}, []string{"a", "c"}, ""},
		"unknown":       {[]string{"d"}, nil, `no suite "d": there are a, b, c`},
	} {
		t.Run(name, func(t *testing.T) {
			chosen, err := choose(all, c.names)
			if c.fail != "" {
				require.EqualError(t, err, c.fail)
				return
			}
			require.NoError(t, err)
			var got []string
			for _, s := range chosen {
				got = append(got, s.name)
			}
			require.Equal(t, c.want, got)
		})
	}
}

func TestFuzzCommands(t *testing.T) {
	home := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(home, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	write("go.mod", "module x\n")
	write("a/a_test.go", "package a\n\nfunc FuzzOne(f *testing.F) {}\n\nfunc FuzzTwo(g *testing.F) {}\n")
	write("b/b_test.go", "package b\n\nfunc TestFuzz(t *testing.T) {}\n")
	write("other/go.mod", "module y\n")
	write("other/o_test.go", "package o\n\nfunc FuzzOther(f *testing.F) {}\n")
	commands, err := fuzzCommands(home, []string{"go", "test"})
	require.NoError(t, err)
	require.Equal(t, [][]string{
		{"go", "test", "-run", "^$", "-fuzz", "^FuzzOne$", "-fuzztime", "15s", "./a"},
		{"go", "test", "-run", "^$", "-fuzz", "^FuzzTwo$", "-fuzztime", "15s", "./a"},
	}, commands)
}
