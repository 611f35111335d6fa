package preflight

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/workload"
)

// inspection is one look at everything; each check adds what it finds.
type inspection struct {
	cluster *kube.Cluster
	req     InspectRequest

	deployment *appsv1.Deployment
	record     *release.Record // of this rollout only
	stable     *appsv1.ReplicaSet
	service    *corev1.Service
	ingress    *netv1.Ingress
	template   corev1.PodTemplateSpec // proposed

	class      string // of the Ingress, where it is not called like its dialect
	classField string

	ref      release.Ref
	replicas int
	ready    int
	scaled   bool // by an autoscaler
	baseline release.Baseline
	confirm  string // how changes of the route are confirmed

	problems []Problem
	warnings []string
}

// run makes all checks that need no request. A check whose subject is missing
// has nothing to add. The error is one of the cluster, not of the release.
func (i *inspection) run() error {
	if !i.watched() {
		return nil
	}
	for _, check := range []func() error{
		i.findWorkload, i.checkOwner, i.checkWorkload, i.checkEndings, i.findStable, i.checkPods, i.propose,
		i.findService, i.checkDoors, i.isolate, i.checkMetadata,
		i.findIngress, i.checkClass, i.checkOtherCanaries,
		i.checkNames, i.checkOtherServices, i.checkPolicies, i.checkQuotas, i.checkScalers, i.checkGitOps,
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (i *inspection) refuse(object, problem, remedy string) {
	i.problems = append(i.problems, Problem{Object: object, Problem: problem, Remedy: remedy})
}

func (i *inspection) warn(format string, args ...any) {
	i.warnings = append(i.warnings, fmt.Sprintf(format, args...))
}

// object names an object of the release for people.
func (i *inspection) object(kind, name string) string {
	return fmt.Sprintf("%s %s/%s", kind, i.req.Rollout.Namespace, name)
}

// watched begins the reference and makes sure that the namespace is in view.
func (i *inspection) watched() bool {
	r := i.req.Rollout
	i.ref = release.Ref{
		ID: i.req.ID, WorkflowID: i.req.WorkflowID, Namespace: r.Namespace, Workload: r.Workload,
		Service: r.Traffic.Service, Ingress: r.Traffic.Ingress.Name, Class: r.Traffic.Ingress.Class,
		Confirm: r.Traffic.Confirm,
	}
	if i.cluster.Watches(r.Namespace) {
		return true
	}
	i.refuse("Namespace "+r.Namespace, "the worker does not watch it", "add it to the namespaces of the worker, or release from a worker that watches it")
	return false
}

// canary is the request for canary pods as it will be made.
func (i *inspection) canary() workload.CanaryRequest {
	return workload.CanaryRequest{Ref: i.ref, Revision: "preflight", Metadata: i.req.Rollout.CanaryMetadata}
}

// canaryLabels are the labels of canary pods; nil while something is missing to
// know them.
func (i *inspection) canaryLabels() map[string]string {
	if i.deployment == nil || i.ref.Isolation == (release.Isolation{}) {
		return nil
	}
	return workload.CanaryTemplate(i.template, i.canary()).Labels
}
