package preflight

import (
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/activities/release"
)

// gitops is a tool that brings objects back to what a repository says.
type gitops struct {
	// name for people.
	name string
	// managers are prefixes of its names among the managers of fields.
	managers []string
	// marks are labels or annotations by which it knows its objects.
	marks []string
	// ignore says how it leaves the fields of a rollout alone.
	ignore string
}

// pointers are the fields of a workload that a rollout changes. In bypass mode the
// template has to come from the repository, since it is by its change that rollouts
// begin; what the watcher writes is left alone instead.
const (
	pointers       = "/spec/paused, /spec/template, /spec/strategy, /metadata/annotations/sluice.dev~1release"
	bypassPointers = "/spec/paused, /spec/strategy, /metadata/annotations/sluice.dev~1release, /metadata/annotations/sluice.dev~1hold, " +
		"/metadata/annotations/sluice.dev~1queued, /metadata/labels/sluice.dev~1has-rollout"
)

// tools that are known. The words for what they shall ignore are theirs;
// %[1]s stands for the name of the workload, %[2]s for the fields.
var tools = []gitops{
	{
		name:     "Argo CD",
		managers: []string{"argocd-"},
		marks:    []string{"argocd.argoproj.io/tracking-id", "argocd.argoproj.io/instance"},
		ignore: "let its Application have spec.ignoreDifferences: [{group: apps, kind: Deployment, name: %[1]s, jsonPointers: [%[2]s]}] " +
			"and spec.syncPolicy.syncOptions: [RespectIgnoreDifferences=true]",
	},
	{
		name:     "Flux (kustomize-controller)",
		managers: []string{"kustomize-controller"},
		marks:    []string{"kustomize.toolkit.fluxcd.io/name"},
		ignore:   "let its Kustomization have spec.ignore: [{paths: [%[2]s], target: {kind: Deployment, name: %[1]s}}]",
	},
	{
		name:     "Flux (helm-controller)",
		managers: []string{"helm-controller"},
		marks:    []string{"helm.toolkit.fluxcd.io/name"},
		ignore:   "let its HelmRelease have spec.driftDetection.ignore: [{paths: [%[2]s], target: {kind: Deployment, name: %[1]s}}]",
	},
}

// checkGitOps tells of tools that would undo what a rollout does to the workload:
// to put the stable template back is to abort it.
func (i *inspection) checkGitOps() error {
	d := i.deployment
	if d == nil {
		return nil
	}
	object, known := i.object("Deployment", d.Name), false
	fields, template := pointers, "or let the new template come from the repository"
	if i.bypassed() {
		fields, template = bypassPointers, "/spec/template stays the repository's: rollouts begin when it changes"
	}
	for _, tool := range tools {
		if !tool.manages(d) {
			continue
		}
		known = true
		i.warn("%s: %s keeps it as its repository says, and may undo the rollout: %s; %s", object, tool.name, fmt.Sprintf(tool.ignore, d.Name, fields), template)
	}
	if known {
		return nil
	}
	for _, manager := range appliers(d) {
		i.warn("%s: %s writes it by server-side apply: what it applies during the rollout takes back what it names of %s", object, manager, strings.ReplaceAll(pointers, ", /metadata", " and /metadata"))
	}
	return nil
}

// bypassed says that the rollout was begun by a change of the workload itself.
func (i *inspection) bypassed() bool { return i.req.Revision != "" }

// manages says whether the tool writes a Deployment, or knows it for its own.
func (t gitops) manages(d *appsv1.Deployment) bool {
	for _, mark := range t.marks {
		if d.Labels[mark] != "" || d.Annotations[mark] != "" {
			return true
		}
	}
	for _, entry := range d.ManagedFields {
		for _, manager := range t.managers {
			if strings.HasPrefix(entry.Manager, manager) {
				return true
			}
		}
	}
	return false
}

// appliers are the managers that write an object by server-side apply.
func appliers(d *appsv1.Deployment) []string {
	var names []string
	for _, entry := range d.ManagedFields {
		if entry.Operation == metav1.ManagedFieldsOperationApply && entry.Subresource == "" && entry.Manager != release.FieldManager {
			names = append(names, fmt.Sprintf("%q", entry.Manager))
		}
	}
	return names
}
