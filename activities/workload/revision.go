package workload

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// revisionLength is enough to tell the revisions of one workload apart, and
// short enough to be read out.
const revisionLength = 10

// Revision names a pod template by a hash of its content, 10 hexadecimal
// digits. The label that the Deployment controller adds does not count, so that
// the template of a Deployment and that of its ReplicaSet have one name. A
// template must have its defaults: read it from the API server.
func Revision(template corev1.PodTemplateSpec) string {
	t := template.DeepCopy()
	delete(t.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
	// A type of the API always encodes: it has neither channels nor cycles.
	data, _ := json.Marshal(t)
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])[:revisionLength]
}

// Images returns the images of a template by the names of its containers.
func Images(template corev1.PodTemplateSpec) map[string]string {
	images := map[string]string{}
	for _, c := range template.Spec.Containers {
		images[c.Name] = c.Image
	}
	return images
}

// plain returns a template without the label of the Deployment controller: that
// of a ReplicaSet as it was on its Deployment.
func plain(template corev1.PodTemplateSpec) corev1.PodTemplateSpec {
	t := template.DeepCopy()
	delete(t.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
	return *t
}
