package config

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"sluice.dev/sluice/config/kruise"
	kruisealpha "sluice.dev/sluice/config/kruise/v1alpha1"
	kruisebeta "sluice.dev/sluice/config/kruise/v1beta1"
	own "sluice.dev/sluice/config/v1alpha1"
)

// dialect is what differs between the accepted versions, apart from their
// types. One row of data per version.
type dialect struct {
	// apiVersion of the documents.
	apiVersion string
	// workload is the path of the reference to the workload.
	workload string
	// weight is the name of the field of a step that holds its weight.
	weight string
	// kruise documents carry our settings as annotations and cookies as a
	// header of a special name.
	kruise bool
	// missingReplicas is Kruise's message for a step without replicas.
	missingReplicas string
	// impliesReplicas where a step that has a weight may leave its replicas out.
	impliesReplicas bool
	// badWeight is Kruise's message for a weight out of range.
	badWeight string
	// missingStrategy is Kruise's message for a document without strategy.
	missingStrategy string
	// weightsRise where a weight must not be below that of the step before.
	weightsRise bool
	// read decodes a document and converts it to our own version.
	read func(*report, *yaml.Node) draft
}

const (
	canaryPath    = "spec.strategy.canary"
	stepsPath     = canaryPath + ".steps"
	routesPath    = canaryPath + ".trafficRoutings"
	badBetaWeight = `traffic must be percentage with "0%" < traffic <= "100%" in canary strategy`
)

var dialects = []dialect{
	{
		apiVersion:      own.APIVersion,
		workload:        "spec.workloadRef",
		weight:          "traffic",
		missingReplicas: "replicas cannot be empty",
		impliesReplicas: true,
		badWeight:       badBetaWeight,
		missingStrategy: "Canary and BlueGreen cannot both be empty",
		read:            func(r *report, node *yaml.Node) draft { return draft{doc: decodeAs[own.Rollout](r, node)} },
	},
	{
		apiVersion:      kruisebeta.APIVersion,
		workload:        "spec.workloadRef",
		weight:          "traffic",
		kruise:          true,
		missingReplicas: "replicas cannot be empty",
		badWeight:       badBetaWeight,
		missingStrategy: "Canary and BlueGreen cannot both be empty",
		read: func(r *report, node *yaml.Node) draft {
			return draft{doc: fromBeta(decodeAs[kruisebeta.Rollout](r, node))}
		},
	},
	{
		apiVersion:      kruisealpha.APIVersion,
		workload:        "spec.objectRef.workloadRef",
		weight:          "weight",
		kruise:          true,
		missingReplicas: "weight and replicas cannot be empty at the same time",
		impliesReplicas: true,
		badWeight:       "weight must be positive number, and less than or equal to 100",
		missingStrategy: "Canary cannot be empty",
		weightsRise:     true,
		read: func(r *report, node *yaml.Node) draft {
			return fromAlpha(decodeAs[kruisealpha.Rollout](r, node))
		},
	},
}

// draft is a document of any version in the shape of our own, on its way to
// the internal form.
type draft struct {
	dialect
	doc    own.Rollout
	legacy legacy
	measured
}

// legacy is what only v1alpha1 says.
type legacy struct {
	targetType, strategyType string
	routeTypes               []string
}

// dialectOf returns the row of an apiVersion.
func dialectOf(apiVersion string) (dialect, bool) {
	for _, d := range dialects {
		if d.apiVersion == apiVersion {
			return d, true
		}
	}
	return dialect{}, false
}

// APIVersions returns the versions of the Rollout document that are accepted.
func APIVersions() []string {
	names := make([]string, 0, len(dialects))
	for _, d := range dialects {
		names = append(names, d.apiVersion)
	}
	return names
}

// partition tells whether the document asks for the partition style, and by
// which field.
func (d *draft) partition() (path string, yes bool) {
	if d.apiVersion == kruisealpha.APIVersion {
		style := d.doc.Metadata.Annotations[kruise.AnnotationRollingStyle]
		return annotationPath(kruise.AnnotationRollingStyle), strings.EqualFold(style, "partition")
	}
	return canaryPath + ".enableExtraWorkloadForCanary", !*d.doc.Spec.Strategy.Canary.EnableExtraWorkloadForCanary
}

func annotationPath(key string) string {
	return joinPath("metadata.annotations", key)
}
