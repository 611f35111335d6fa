package config

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/intstr"
	k8svalidation "k8s.io/apimachinery/pkg/util/validation"

	"sluice.dev/sluice/config/kruise"
	kruisealpha "sluice.dev/sluice/config/kruise/v1alpha1"
	own "sluice.dev/sluice/config/v1alpha1"
)

// Messages that Kruise's users know keep Kruise's words.

// validate reports everything that a document says and cannot have.
func validate(r *report, d *draft) {
	validateMetadata(r, d)
	validateLegacy(r, d)
	validateWorkload(r, d)
	validateSettings(r, d)
	validateStrategy(r, d)
	validateAnalyses(r, d)
}

func validateMetadata(r *report, d *draft) {
	meta := d.doc.Metadata
	if meta.Name == "" {
		r.add("metadata.name", "the document needs a name", "")
	} else {
		validateName(r, "metadata.name", meta.Name, k8svalidation.IsDNS1123Subdomain)
	}
	if meta.Namespace != "" {
		validateName(r, "metadata.namespace", meta.Namespace, k8svalidation.IsDNS1123Label)
	}
}

func validateName(r *report, path, name string, check func(string) []string) {
	if problems := check(name); len(problems) > 0 {
		r.add(path, "not a valid name", rule(problems))
	}
}

// rule returns the first rule that a name breaks, without its example and regular
// expression.
func rule(problems []string) string {
	text, _, _ := strings.Cut(problems[0], " (")
	return text
}

// validateLegacy checks what only v1alpha1 says.
func validateLegacy(r *report, d *draft) {
	if d.apiVersion != kruisealpha.APIVersion {
		return
	}
	if t := d.legacy.targetType; t != "" && t != "workloadRef" {
		r.add("spec.objectRef.type", "only workloadRef is supported", "leave it out")
	}
	if t := d.legacy.strategyType; t != "" && t != "canary" {
		r.add("spec.strategy.type", "only canary is supported", "leave it out")
	}
	switch strings.ToLower(d.doc.Metadata.Annotations[kruise.AnnotationRollingStyle]) {
	case "", "canary", "partition":
	default:
		r.add(annotationPath(kruise.AnnotationRollingStyle), "Rolling style must be 'Canary', 'Partition' or empty", "write canary or leave it out")
	}
	if d.doc.Metadata.Annotations[kruise.AnnotationTrafficRouting] != "" {
		r.add(annotationPath(kruise.AnnotationTrafficRouting), "TrafficRouting objects are not supported yet",
			"name Service and Ingress in "+routesPath)
	}
}

// kruiseKinds are the workloads that Kruise releases, by API group.
var kruiseKinds = map[string][]string{
	"apps":           {"Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"},
	"apps.kruise.io": {"CloneSet", "DaemonSet", "StatefulSet"},
}

func validateWorkload(r *report, d *draft) {
	ref := d.doc.Spec.WorkloadRef
	if ref == nil {
		r.add(d.workload, "WorkloadRef is required", "write apiVersion, kind and name of the workload")
		return
	}
	if ref.Name == "" {
		r.add(d.workload+".name", "the name of the workload is missing", "")
	} else {
		validateName(r, d.workload+".name", ref.Name, k8svalidation.IsDNS1123Subdomain)
	}
	group, _, _ := strings.Cut(ref.APIVersion, "/")
	kinds := kruiseKinds[group]
	switch {
	case ref.APIVersion == "apps/v1" && ref.Kind == "Deployment":
	case ref.Kind == "Deployment":
		r.add(d.workload+".apiVersion", "WorkloadRef kind is not supported in this version", "write apps/v1")
	case slices.Contains(kinds, ref.Kind):
		r.add(d.workload+".kind", "WorkloadRef kind is not supported yet", "only Deployment of apps/v1 is")
	default:
		remedy := "write Deployment"
		if near := Nearest(ref.Kind, kinds); near != "" {
			remedy = fmt.Sprintf("did you mean %q?", near)
		}
		r.add(d.workload+".kind", "WorkloadRef kind is not supported", remedy)
	}
}

func validateSettings(r *report, d *draft) {
	spec := d.doc.Spec
	if *spec.Deadline <= 0 {
		r.add(d.settingPath("spec.deadline", AnnotationDeadline), "the deadline must be longer than no time", "write a length of time such as 10m")
	}
	switch FailurePolicy(*spec.OnFailure) {
	case FailurePause, FailureRollback:
	default:
		r.add(d.settingPath("spec.onFailure", AnnotationOnFailure), "unknown failure policy", "write pause or rollback")
	}
	switch DriftPolicy(*spec.OnDrift) {
	case DriftPause, DriftAdopt, DriftEnforce:
	default:
		r.add(d.settingPath("spec.onDrift", AnnotationOnDrift), "unknown drift policy", "write pause, adopt or enforce")
	}
	if h := *spec.Capacity.Headroom; h < 0 || h > 100 {
		r.add("spec.capacity.headroom", "not a percentage from 0 to 100", fmt.Sprintf("write a number such as %d", DefaultHeadroom))
	}
}

func validateStrategy(r *report, d *draft) {
	strategy := d.doc.Spec.Strategy
	switch {
	case strategy.Canary == nil && strategy.BlueGreen == nil:
		r.add(canaryPath, d.missingStrategy, "write spec.strategy.canary with its steps")
		return
	case strategy.Canary != nil && strategy.BlueGreen != nil:
		r.add("spec.strategy", "Canary and BlueGreen cannot both be set", "keep canary")
	case strategy.BlueGreen != nil:
		r.add("spec.strategy.blueGreen", "blue-green is not supported yet", "write spec.strategy.canary")
		return
	}
	validateSteps(r, d, strategy.Canary.Steps)
	validateRoutes(r, d, strategy.Canary.TrafficRoutings)
	validateExtras(r, d, strategy.Canary)
}

// validateExtras checks the rest of the canary strategy, most of which is not
// supported yet.
func validateExtras(r *report, d *draft, canary *own.Canary) {
	workload := d.doc.Spec.WorkloadRef
	if path, yes := d.partition(); yes && (workload == nil || workload.Kind == "Deployment") {
		r.add(path, "the partition style is not supported yet", "release with an extra Deployment: "+extraDeployment(d))
	}
	if canary.TrafficRoutingRef != "" {
		r.add(canaryPath+".trafficRoutingRef", "TrafficRouting objects are not supported yet", "name Service and Ingress in "+routesPath)
	}
	if canary.DisableGenerateCanaryService {
		r.add(canaryPath+".disableGenerateCanaryService", "releasing without a canary Service is not supported yet", "leave it out")
	}
	if t := canary.FailureThreshold; t != nil && *t != intstr.FromInt32(0) && *t != intstr.FromString("0%") {
		r.add(canaryPath+".failureThreshold", "tolerating pods that are not ready is not supported: a route never points at them", "write 0 or leave it out")
	}
	switch Isolation(*canary.Isolation) {
	case IsolateByLabel, IsolateBySelector:
	default:
		r.add(d.settingPath("spec.strategy.canary.isolation", AnnotationIsolation), "unknown isolation", "write label or selector")
	}
	if canary.PatchPodTemplateMetadata != nil {
		validatePodMetadata(r, canary.PatchPodTemplateMetadata)
	}
}

func extraDeployment(d *draft) string {
	if d.apiVersion == kruisealpha.APIVersion {
		return "leave the annotation out"
	}
	return "write enableExtraWorkloadForCanary: true"
}

// reservedLabels are written by the controllers of Kubernetes.
var reservedLabels = []string{"pod-template-hash", "controller-revision-hash"}

func validatePodMetadata(r *report, meta *kruise.PodMetadata) {
	path := canaryPath + ".patchPodTemplateMetadata"
	for key, value := range meta.Labels {
		at := joinPath(path+".labels", key)
		validateKey(r, at, key, key)
		if problems := k8svalidation.IsValidLabelValue(value); len(problems) > 0 {
			r.add(at, "not a valid value of a label", rule(problems))
		}
	}
	for key := range meta.Annotations {
		// Kubernetes reads annotation names without regard to case.
		validateKey(r, joinPath(path+".annotations", key), key, strings.ToLower(key))
	}
}

// validateKey checks the name of a label or annotation, of which read is what
// Kubernetes reads.
func validateKey(r *report, path, key, read string) {
	if problems := k8svalidation.IsQualifiedName(read); len(problems) > 0 {
		r.add(path, "not a valid name", rule(problems))
	}
	if strings.HasPrefix(key, own.Group+"/") || slices.Contains(reservedLabels, key) {
		r.add(path, "the name is reserved", "choose another one")
	}
}
