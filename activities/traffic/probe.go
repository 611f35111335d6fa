package traffic

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/traffic/gateway"
	"sluice.dev/sluice/config"
)

// probing reports whether changes of a release are confirmed by probes.
func (a *Activities) probing(ref release.Ref) bool {
	return levelOf(a.Gateways, ref) == gateway.LevelProbe &&
		a.Gateways.Available(ref.Class, gateway.LevelProbe, ref.Confirm.Probe) == ""
}

// doubtful reports whether a replica that shows a route could be told from one that
// still shows it from before a change which was not confirmed only by a header that
// no route before has had.
func (a *Activities) doubtful(req RouteRequest) bool {
	return req.Unsure && levelOf(a.Gateways, req.Ref) == gateway.LevelState
}

// levelOf returns the level that changes of a release are confirmed by.
func levelOf(gateways *gateway.Gateways, ref release.Ref) gateway.Level {
	return gateways.Best(ref.Class, ref.Confirm.Level, ref.Confirm.Probe)
}

// probe is how the gateway can be seen to follow a change; nil where the document
// says nothing of it.
func (a *Activities) probe(c *change) *gateway.Probe {
	ref := c.req.Ref
	if ref.Confirm.Probe == nil || c.base == nil {
		return nil
	}
	p := doorOf(c.base, ref)
	p.Sure = !c.req.Unsure
	if !c.req.Absent {
		p.Into = headerOf(c.req.Route)
	}
	for _, e := range c.before {
		p.Before = append(p.Before, e.Weight)
		p.Out = e.header()
		p.Matched = p.Matched || e.Matched
	}
	if p.Counted = ref.Confirm.Probe.Metrics; p.Counted {
		p.Matched = p.Matched || len(c.req.Route.Matches) > 0
		return p
	}
	p.Canary, p.Unusable = a.recognise(ref)
	return p
}

// doorOf returns the request of the probe: the host and path of the first rule
// for the user's Service, unless the document names others.
func doorOf(base *networkingv1.Ingress, ref release.Ref) *gateway.Probe {
	p := &gateway.Probe{Host: ref.Confirm.Probe.Host, Path: ref.Confirm.Probe.Path}
	for _, rule := range canaryRules(base, ref) {
		if p.Host == "" && !strings.HasPrefix(rule.Host, "*") {
			p.Host = rule.Host
		}
		if p.Path == "" {
			p.Path = rule.HTTP.Paths[0].Path
		}
		break
	}
	if p.Path == "" {
		p.Path = "/"
	}
	for _, tls := range base.Spec.TLS {
		p.Secure = p.Secure || len(tls.Hosts) == 0 || slices.Contains(tls.Hosts, p.Host)
	}
	return p
}

// recognise returns how canary's answers are told from stable's, or why they
// cannot be now.
func (a *Activities) recognise(ref release.Ref) (func(gateway.Answer) (bool, error), string) {
	probe := *ref.Confirm.Probe
	if !probe.NamesPods() {
		d, err := a.Cluster.Deployments(ref.Namespace).Get(ref.Workload.Name)
		if err != nil {
			return nil, "the workload is gone"
		}
		if record, err := kube.RecordOf(d); err != nil || record == nil || record.Promoting {
			return nil, "both sides may run the same revision, so that their answers are the same"
		}
	}
	if probe.Expects() == "" && ref.StableAnswer == nil {
		return nil, "nobody has seen what stable answers"
	}
	return func(answer gateway.Answer) (bool, error) {
		value, err := valueOf(probe, answer)
		if err != nil {
			return false, err
		}
		if probe.Expects() == "" {
			return value != *ref.StableAnswer, nil
		}
		return matches(probe, value, probe.Expand(a.tags(ref), a.pods(ref))), nil
	}, ""
}

// matches reports whether a value is what is expected of canary.
func matches(probe config.Probe, value string, expected []string) bool {
	return slices.ContainsFunc(expected, func(text string) bool {
		if text == "" {
			return false
		}
		if probe.Contains != "" {
			return strings.Contains(value, text)
		}
		return value == text
	})
}

// pods are the names of canary pods.
func (a *Activities) pods(ref release.Ref) []string {
	var names []string
	for _, pod := range a.Cluster.PodsOfRollout(ref.Namespace, ref.ID) {
		names = append(names, pod.Name)
	}
	return names
}

// tags returns the tags of the canary's images by container.
func (a *Activities) tags(ref release.Ref) func(string) string {
	d, err := a.Cluster.Deployments(ref.Namespace).Get(ref.CanaryDeployment())
	if err != nil {
		return func(string) string { return "" }
	}
	return tagsOf(d.Spec.Template.Spec.Containers)
}

// tagsOf returns the tag of the image of a container by its name, of the first
// where that is empty; empty where there is none.
func tagsOf(containers []corev1.Container) func(string) string {
	return func(name string) string {
		for _, container := range containers {
			if name == "" || container.Name == name {
				return tagOf(container.Image)
			}
		}
		return ""
	}
}

// tagOf returns the tag of an image: what follows the last colon of its last
// part, before a digest.
func tagOf(image string) string {
	image, _, _ = strings.Cut(image, "@")
	_, tag, _ := strings.Cut(image[strings.LastIndex(image, "/")+1:], ":")
	return tag
}

// valueOf returns the part of an answer that a probe looks at.
func valueOf(probe config.Probe, answer gateway.Answer) (string, error) {
	switch {
	case probe.Header != "":
		return answer.Header.Get(probe.Header), nil
	case probe.JSON == "":
		return strings.TrimSpace(string(answer.Body)), nil
	}
	var value any
	if err := json.Unmarshal(answer.Body, &value); err != nil {
		return "", fmt.Errorf("answers with something that is not JSON: %w", err)
	}
	for name := range strings.SplitSeq(probe.JSON, ".") {
		fields, _ := value.(map[string]any)
		found, ok := fields[name]
		if !ok {
			return "", fmt.Errorf("answers without field %s: known are %s", probe.JSON, strings.Join(slices.Sorted(maps.Keys(fields)), ", "))
		}
		value = found
	}
	return fmt.Sprint(value), nil
}
