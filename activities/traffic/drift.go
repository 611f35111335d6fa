package traffic

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/activities/release"
)

// drift says who has changed what on the canary Ingress since we wrote it. The
// cache keeps the names of the managers only, so that the object is read whole
// where another one than ours has been there; what cannot be read is not worth
// to hold a route back for.
func (a *Activities) drift(ctx context.Context, c *change) string {
	if c.live == nil || !foreign(c.live.ManagedFields) {
		return ""
	}
	live, err := a.Cluster.Client().NetworkingV1().Ingresses(c.live.Namespace).Get(ctx, c.live.Name, metav1.GetOptions{})
	if err != nil {
		return ""
	}
	var found []string
	for _, entry := range live.ManagedFields {
		if entry.Manager == release.FieldManager || entry.Subresource != "" {
			continue
		}
		for _, field := range routeFields(entry) {
			found = append(found, fmt.Sprintf("%s set %s", entry.Manager, described(field, live.Annotations)))
		}
	}
	if len(found) == 0 {
		return ""
	}
	return fmt.Sprintf("canary Ingress %s/%s: %s", live.Namespace, live.Name, strings.Join(found, ", "))
}

// foreign reports whether anybody but us has written to the object itself.
func foreign(entries []metav1.ManagedFieldsEntry) bool {
	return slices.ContainsFunc(entries, func(e metav1.ManagedFieldsEntry) bool {
		return e.Manager != release.FieldManager && e.Subresource == ""
	})
}

// routeFields returns what a manager owns of the fields that make up the route:
// annotations by their key, and spec.
func routeFields(entry metav1.ManagedFieldsEntry) []string {
	if entry.FieldsV1 == nil {
		return nil
	}
	var owned struct {
		Metadata struct {
			Annotations map[string]json.RawMessage `json:"f:annotations"`
		} `json:"f:metadata"`
		Spec json.RawMessage `json:"f:spec"`
	}
	if json.Unmarshal(entry.FieldsV1.Raw, &owned) != nil {
		return nil
	}
	var fields []string
	for _, key := range append(slices.Clone(routeKeys), release.AnnotationSeq) {
		if _, ok := owned.Metadata.Annotations["f:"+key]; ok {
			fields = append(fields, key)
		}
	}
	if len(owned.Spec) > 0 {
		fields = append(fields, "spec")
	}
	return fields
}

// described writes a field with its value, as far as it is one line.
func described(field string, annotations map[string]string) string {
	if value, ok := annotations[field]; ok {
		return fmt.Sprintf("%s to %q", field, value)
	}
	return field
}
