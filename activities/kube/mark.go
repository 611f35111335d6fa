package kube

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/activities/release"
)

// Mark names by a hash what decides about requests on an object of ours: of an
// Ingress its class, its rules and the annotations of its route, of a Service whom it
// selects by which ports, of a Deployment its size, its pause and its images.
// What the API server or an admission webhook fills in beside that does not
// count. It is empty for other objects.
func Mark(obj metav1.Object) string {
	content := contentOf(obj)
	if content == nil {
		return ""
	}
	// Types of the API always encode: they have neither channels nor cycles.
	data, _ := json.Marshal(content)
	sum := sha256.Sum256(data)
	mark := hex.EncodeToString(sum[:8])
	switch o := obj.(type) {
	case *appsv1.Deployment:
		mark += partMark + strconv.Itoa(SizeOf(o))
	case *netv1.Ingress:
		if class := ClassOf(o); class != "" {
			mark += partMark + class
		}
	}
	return mark
}

// partMark is before the part of a mark that may be looked at apart: the size of a
// Deployment, the class of an Ingress.
const partMark = "."

// AnnotationClass is the old way to name the class of an Ingress; gateways that
// know both prefer it. The canary Ingress must be of the same class as the user's.
const AnnotationClass = "kubernetes.io/ingress.class"

// ClassOf returns the class that an Ingress names; empty where it names none.
func ClassOf(in *netv1.Ingress) string {
	if class := in.Annotations[AnnotationClass]; class != "" || in.Spec.IngressClassName == nil {
		return class
	}
	return *in.Spec.IngressClassName
}

// OnlyScaled says whether a Deployment of ours that was edited differs from what
// was written in nothing but its size.
func OnlyScaled(d *appsv1.Deployment) bool {
	written, _, _ := strings.Cut(d.Annotations[release.AnnotationMark], partMark)
	now, _, _ := strings.Cut(Mark(d), partMark)
	return written == now
}

// Edited says whether somebody else has changed what decides about requests on
// an object of ours since we wrote it. An object that was written by a release
// which left no mark is taken as it is, and so is the class of an Ingress that was
// written without one: the API server fills in the default.
func Edited(obj metav1.Object) bool {
	written, now := obj.GetAnnotations()[release.AnnotationMark], Mark(obj)
	if _, is := obj.(*netv1.Ingress); is && !strings.Contains(written, partMark) {
		now, _, _ = strings.Cut(now, partMark)
	}
	return written != "" && written != now
}

func contentOf(obj metav1.Object) any {
	switch o := obj.(type) {
	case *netv1.Ingress:
		return ingressContent{Rules: o.Spec.Rules, Route: routeAnnotations(o.Annotations)}
	case *corev1.Service:
		c := serviceContent{Selector: o.Spec.Selector}
		for _, p := range o.Spec.Ports {
			c.Ports = append(c.Ports, p.Name, p.TargetPort.String())
			c.Numbers = append(c.Numbers, p.Port)
		}
		return c
	case *appsv1.Deployment:
		c := deploymentContent{Paused: o.Spec.Paused}
		for _, container := range o.Spec.Template.Spec.Containers {
			c.Images = append(c.Images, container.Name, container.Image)
		}
		return c
	}
	return nil
}

type ingressContent struct {
	Rules []netv1.IngressRule
	Route map[string]string
}

type serviceContent struct {
	Selector map[string]string
	Ports    []string
	Numbers  []int32
}

type deploymentContent struct {
	Paused bool
	Images []string
}

// routeAnnotations are those that say which requests go to canary, in the words
// of any gateway that reads annotations.
func routeAnnotations(all map[string]string) map[string]string {
	route := map[string]string{}
	for key, value := range all {
		if _, name, ok := strings.Cut(key, "/"); ok && (name == "canary" || strings.HasPrefix(name, "canary-")) {
			route[key] = value
		}
	}
	return route
}
