package preflight

import (
	corev1 "k8s.io/api/core/v1"
)

// defaultTermination is what Kubernetes gives pods to end where they name
// nothing, in seconds.
const defaultTermination = 30

// checkEndings tells of pods that are killed before they can end in order. No
// request is sent to them any more then, but one that is under way longer than
// the grace of the document, or that came past the gateway, is cut off.
func (i *inspection) checkEndings() error {
	if i.deployment == nil {
		return nil
	}
	spec, object := i.deployment.Spec.Template.Spec, i.object("Deployment", i.deployment.Name)
	termination := int64(defaultTermination)
	if s := spec.TerminationGracePeriodSeconds; s != nil {
		termination = *s
	}
	if termination == 0 {
		i.warn("%s spec.template.spec.terminationGracePeriodSeconds: it is 0: pods are killed with the requests that they have; leave it out, or write the time of the longest request", object)
	}
	for _, c := range spec.Containers {
		if c.Lifecycle == nil || c.Lifecycle.PreStop == nil || c.Lifecycle.PreStop.Sleep == nil {
			continue
		}
		if sleep := c.Lifecycle.PreStop.Sleep.Seconds; termination > 0 && sleep >= termination {
			i.warn("%s container %s lifecycle.preStop.sleep: it takes %d s of the %d s after which the pod is killed (terminationGracePeriodSeconds): leave it time to end", object, c.Name, sleep, termination)
		}
	}
	return nil
}

// checkDoors tells of requests that reach the pods without passing the Ingress.
func (i *inspection) checkDoors() error {
	if i.service == nil {
		return nil
	}
	if t := i.service.Spec.Type; t == corev1.ServiceTypeNodePort || t == corev1.ServiceTypeLoadBalancer {
		i.warn("%s: it is of type %s: requests that come that way are not weighted, and depend on the preStop of the pods while these are replaced", i.object("Service", i.service.Name), t)
	}
	return nil
}
