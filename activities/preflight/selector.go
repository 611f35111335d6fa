package preflight

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/config"
)

// isolateBySelector leaves canary pods the labels of the workload: the Service
// will be narrowed to the pods of one revision.
func (i *inspection) isolateBySelector() {
	i.ref.Isolation = release.Isolation{Mode: config.IsolateBySelector}
	record, err := kube.ServiceRecordOf(i.service)
	object := i.object("Service", i.service.Name)
	switch {
	case err != nil:
		i.refuse(object+" annotation "+release.AnnotationRelease, "it cannot be read", "remove it if no rollout is open, or run sluice repair")
	case record != nil && record.ID != i.req.ID:
		i.refuse(object, fmt.Sprintf("its selector belongs to rollout %s of workflow %s", record.ID, record.WorkflowID),
			"end that rollout (sluice abort), or, if its workflow is gone, run sluice repair")
	}
}

// headless says whether a Service has no address of its own: it lists pods, for
// those who look for all of them, such as what scrapes metrics.
func (i *inspection) headless(name string) bool {
	s, err := i.cluster.Services(i.ref.Namespace).Get(name)
	return err == nil && s.Spec.ClusterIP == corev1.ClusterIPNone
}

// checkSelectorOwner refuses to narrow a Service whose selector a tool applies
// over and over: it is one value for server-side apply, so that the tool would
// put its own back in the middle of the release. The cache does not keep who owns
// which field.
func (a *Activities) checkSelectorOwner(ctx context.Context, i *inspection) error {
	if !i.ref.Isolation.BySelector() {
		return nil
	}
	s, err := a.Cluster.Client().CoreV1().Services(i.ref.Namespace).Get(ctx, i.ref.Service, metav1.GetOptions{})
	if err != nil {
		return kube.Failure(err, "reading "+i.object("Service", i.ref.Service))
	}
	ignoring := strings.FieldsFunc(s.Annotations[release.AnnotationIgnoredBy], func(r rune) bool { return r == ',' || r == ' ' })
	object := i.object("Service", s.Name)
	for _, entry := range s.ManagedFields {
		switch {
		case entry.Operation != metav1.ManagedFieldsOperationApply || !ownsSelector(entry) || slices.Contains(ignoring, entry.Manager):
		case entry.Manager == byHandManager:
			i.warn("%s: its selector was applied by %s --server-side: do not apply it again before the release has ended (it would be refused as a conflict with %s)", object, byHandManager, release.FieldManager)
		default:
			i.refuse(object+" spec.selector", fmt.Sprintf("%s applies it (server-side apply) and would undo its narrowing", entry.Manager), ignoreRemedy(s.Name, entry.Manager))
		}
	}
	return nil
}

// byHandManager is kubectl, behind which is a person, who applies once and is
// told of conflicts.
const byHandManager = "kubectl"

// ownsSelector says whether an entry of the managed fields has the selector.
func ownsSelector(entry metav1.ManagedFieldsEntry) bool {
	if entry.FieldsV1 == nil {
		return false
	}
	var owned struct {
		Spec struct {
			Selector json.RawMessage `json:"f:selector"`
		} `json:"f:spec"`
	}
	return json.Unmarshal(entry.FieldsV1.Raw, &owned) == nil && len(owned.Spec.Selector) > 0
}

// ignoreRemedy says how to let a tool leave the selector alone.
func ignoreRemedy(service, manager string) string {
	promise := fmt.Sprintf("then promise it with the annotation %s: %s on the Service", release.AnnotationIgnoredBy, manager)
	hint := "let it ignore /spec/selector of the Service"
	switch {
	case manager == "kustomize-controller":
		hint = fmt.Sprintf("add to the Kustomization {spec: {ignore: [{paths: [/spec/selector], target: {kind: Service, name: %s}}]}}", service)
	case strings.HasPrefix(manager, "argocd"):
		hint = fmt.Sprintf("add to the Application {spec: {ignoreDifferences: [{kind: Service, name: %s, jsonPointers: [/spec/selector]}], syncPolicy: {syncOptions: [RespectIgnoreDifferences=true]}}}", service)
	}
	return "write isolation: label; or " + hint + ", " + promise
}
