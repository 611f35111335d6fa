package workload

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/json"
)

// Apply returns the template that the change makes of another one, which stays
// as it is. All problems are reported at once: containers that do not exist, a
// whole template that cannot be read. A whole template has no defaults yet.
func (c Change) Apply(template corev1.PodTemplateSpec) (corev1.PodTemplateSpec, error) {
	if len(c.Template) > 0 {
		return decodeTemplate(c.Template)
	}
	next := template.DeepCopy()
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(c.Images)) {
		container, err := findContainer(next, name, "image")
		if err != nil {
			problems = append(problems, err)
			continue
		}
		container.Image = c.Images[name]
	}
	for _, name := range slices.Sorted(maps.Keys(c.Env)) {
		container, err := findContainer(next, name, "environment")
		if err != nil {
			problems = append(problems, err)
			continue
		}
		setEnv(container, c.Env[name])
	}
	return *next, errors.Join(problems...)
}

// decodeTemplate reads a template strictly: a field that Kubernetes does not
// know would be dropped in silence.
func decodeTemplate(data []byte) (corev1.PodTemplateSpec, error) {
	var t corev1.PodTemplateSpec
	strict, err := json.UnmarshalStrict(data, &t)
	if err == nil {
		err = errors.Join(strict...)
	}
	if err != nil {
		return corev1.PodTemplateSpec{}, fmt.Errorf("reading the pod template: %w: correct spec.template of the manifest", err)
	}
	return t, nil
}

// findContainer returns a container or init container by name. No name means
// the only container.
func findContainer(t *corev1.PodTemplateSpec, name, what string) (*corev1.Container, error) {
	if name == "" && len(t.Spec.Containers) == 1 {
		return &t.Spec.Containers[0], nil
	}
	for _, containers := range [][]corev1.Container{t.Spec.Containers, t.Spec.InitContainers} {
		for i := range containers {
			if containers[i].Name == name {
				return &containers[i], nil
			}
		}
	}
	names := slices.Sorted(maps.Keys(Images(*t)))
	return nil, fmt.Errorf("changing the %s of container %q: the pod template has no such container: name one of %s", what, name, strings.Join(names, ", "))
}

// setEnv sets variables to plain values, in a stable order.
func setEnv(c *corev1.Container, values map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		variable := corev1.EnvVar{Name: name, Value: values[name]}
		i := slices.IndexFunc(c.Env, func(e corev1.EnvVar) bool { return e.Name == name })
		if i < 0 {
			c.Env = append(c.Env, variable)
			continue
		}
		c.Env[i] = variable
	}
}
