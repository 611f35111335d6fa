package kube

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/resourceversion"
)

// AtLeast reports whether a cached object is as new as a version that was
// written or read live; one that is not there is not. An empty version asks for
// nothing. Versions that cannot be compared are as new only if they are equal.
func AtLeast(obj metav1.Object, version string) bool {
	if version == "" {
		return true
	}
	order, err := resourceversion.CompareResourceVersion(obj.GetResourceVersion(), version)
	if err != nil {
		return obj.GetResourceVersion() == version
	}
	return order >= 0
}
