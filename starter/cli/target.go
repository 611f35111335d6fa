package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/config"
	"sluice.dev/sluice/workflows"
)

// target says which workload a command is about: a NAME, or a document.
type target struct {
	name string
	document
}

// targetArgs is how commands with a target are used.
const targetArgs = "[NAME]"

// targetHelp explains NAME.
const targetHelp = `NAME is the workload: the name of a Deployment, or kind/name. With -f the document names it.`

func (t *target) bind(cmd *cobra.Command) {
	t.document.bind(cmd)
	cmd.Args = cobra.MaximumNArgs(1)
}

// validate takes over the arguments.
func (t *target) validate(args []string) error {
	if len(args) == 1 {
		t.name = args[0]
	}
	if t.name != "" && t.file != "" {
		return fmt.Errorf("both %s and -f %s name the workload: give one of them", t.name, t.file)
	}
	return nil
}

// given says whether any workload was named.
func (t *target) given() bool { return t.name != "" || t.file != "" }

// id returns the workflow ID of the workload.
func (t *target) id(a *app, cmd *cobra.Command) (string, error) {
	scope, err := a.host.Backend.Scope(cmd.Flags())
	if err != nil {
		return "", err
	}
	switch {
	case t.file != "":
		doc, err := t.load(a, scope)
		if err != nil {
			return "", err
		}
		return workflows.WorkflowID(scope.Cluster, doc.Namespace, doc.Workload), nil
	case t.name == "":
		return "", fmt.Errorf("name the workload: `%s NAME`, or -f FILE; `sluice list` shows the open rollouts", cmd.CommandPath())
	}
	return idOf(t.name, scope)
}

// kinds are the workloads that a NAME may have before its slash, by the words
// that kubectl knows for them.
var kinds = map[string][]string{
	"Deployment":  {"deployment", "deployments", "deploy"},
	"StatefulSet": {"statefulset", "statefulsets", "sts"},
	"DaemonSet":   {"daemonset", "daemonsets", "ds"},
	"CloneSet":    {"cloneset", "clonesets", "clone"},
}

// idOf returns the workflow ID that a NAME means; the ID itself, as the Temporal
// UI shows it, is understood too.
func idOf(name string, scope Scope) (string, error) {
	if strings.Contains(name, ":") {
		if _, _, _, _, err := workflows.ParseWorkflowID(name); err != nil {
			return "", err
		}
		return name, nil
	}
	kind, rest, found := strings.Cut(name, "/")
	if !found {
		return workflows.WorkflowID(scope.Cluster, scope.Namespace, config.ObjectRef{Kind: "Deployment", Name: name}), nil
	}
	// kubectl prints kinds with their group.
	word, _, _ := strings.Cut(strings.ToLower(kind), ".")
	for known, words := range kinds {
		if slices.Contains(words, word) && rest != "" {
			return workflows.WorkflowID(scope.Cluster, scope.Namespace, config.ObjectRef{Kind: known, Name: rest}), nil
		}
	}
	return "", fmt.Errorf("%q is not a workload: write NAME for a Deployment, or deployment/NAME, statefulset/NAME, daemonset/NAME, cloneset/NAME", name)
}
