package cluster

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// apart are the modules that may have several versions.
var apart = []string{
	// Sluice needs the parser of queries alone, and an older version that asks for
	// less; the sandbox runs a server.
	"github.com/prometheus/prometheus",

	// The servers of Temporal and Traefik need names of otel/log that otel 1.47 has
	// not any more, which Prometheus needs.
	"go.opentelemetry.io/",
	"github.com/grpc-ecosystem/grpc-gateway/v2",

	// Traefik compiles these, Prometheus without its ways to find targets does not.
	"github.com/docker/go-connections",
	"github.com/go-zookeeper/zk",
	"github.com/hashicorp/",
	"github.com/moby/moby/",

	"github.com/Microsoft/go-winio", // for Windows
}

// What two modules need is compiled once only if both need the same version, and of
// everything below it too: with each its own, a cold build took twice as long.
func TestModulesShareVersions(t *testing.T) {
	root, err := filepath.Abs(filepath.Join("..", "..", ".."))
	require.NoError(t, err)
	dirs := []string{root, filepath.Join(root, "tests")}
	for _, target := range append(Targets(filepath.Join(root, "tests")), Kubectl(filepath.Join(root, "tests"))) {
		if !slices.Contains(dirs, target.Dir) {
			dirs = append(dirs, target.Dir)
		}
	}
	require.Len(t, dirs, 7)
	versions := map[string]map[string][]string{}
	for _, dir := range dirs {
		for path, version := range requirements(t, dir) {
			if versions[path] == nil {
				versions[path] = map[string][]string{}
			}
			name, err := filepath.Rel(root, dir)
			require.NoError(t, err)
			versions[path][version] = append(versions[path][version], name)
		}
	}
	var differ []string
	unused := slices.Clone(apart)
	for path, needed := range versions {
		if len(needed) == 1 {
			continue
		}
		excepts := func(prefix string) bool { return strings.HasPrefix(path, prefix) }
		if !slices.ContainsFunc(apart, excepts) {
			differ = append(differ, fmt.Sprintf("%s: %v", path, needed))
		}
		unused = slices.DeleteFunc(unused, excepts)
	}
	slices.Sort(differ)
	require.Empty(t, differ, "run go get with the newest version in the others:\n%s", strings.Join(differ, "\n"))
	require.Empty(t, unused, "these need no exception any more")
}

// requirements are the versions of the modules that the module in dir needs, those
// that stand in for them where it replaces them; without what a folder replaces.
func requirements(t *testing.T, dir string) map[string]string {
	t.Helper()
	type version struct{ Path, Version string }
	var module struct {
		Require []version
		Replace []struct{ Old, New version }
	}
	command := exec.CommandContext(t.Context(), "go", "mod", "edit", "-json")
	command.Dir = dir
	out, err := command.Output()
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(out, &module))
	require.NotEmpty(t, module.Require, dir)
	needed := map[string]string{}
	for _, r := range module.Require {
		needed[r.Path] = r.Version
	}
	for _, r := range module.Replace {
		delete(needed, r.Old.Path)
		if r.New.Version != "" && r.New.Path == r.Old.Path {
			needed[r.Old.Path] = r.New.Version
		}
	}
	return needed
}
