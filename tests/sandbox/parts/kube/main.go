// Command sandbox-kube is the Kubernetes of the sandbox in one binary: etcd,
// the control plane, a node whose pods are processes, and nodes that only
// pretend. They share one binary because they share most of their code, and
// linking it once instead of five times saves minutes of a cold build.
//
// Build it with the version of Kubernetes, which a module does not carry:
//
//	V=k8s.io/component-base/version
//	go build -ldflags "-s -w -X $V.gitVersion=v1.37.2 -X $V.gitMajor=1 -X $V.gitMinor=37" .
package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"

	"sluice.dev/sluice/tests/sandbox/parts/kube/internal/etcd"
	"sluice.dev/sluice/tests/sandbox/parts/kube/internal/fakenodes"
	"sluice.dev/sluice/tests/sandbox/parts/kube/internal/node"
)

// parts builds the command of one part. Only the one that was asked for is
// built: the Kubernetes commands register flags and feature gates globally
// when they are constructed and would get into each other's way.
var parts = map[string]func() *cobra.Command{
	"etcd":               etcd.NewCommand,
	"apiserver":          apiserver.NewAPIServerCommand,
	"controller-manager": controllermanager.NewControllerManagerCommand,
	"scheduler":          func() *cobra.Command { return scheduler.NewSchedulerCommand() },
	"node":               node.NewCommand,
	"fake-nodes":         fakenodes.NewCommand,
}

func main() {
	os.Exit(run(os.Args[1:]))
}

func run(args []string) int {
	if len(args) == 0 || parts[args[0]] == nil {
		fmt.Fprintf(os.Stderr, "usage: sandbox-kube %s [flags]\n", strings.Join(slices.Sorted(maps.Keys(parts)), "|"))
		return 2
	}
	cmd := parts[args[0]]()
	cmd.SetArgs(args[1:])
	return cli.Run(cmd)
}
