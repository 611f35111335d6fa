package cluster

import (
	"maps"
	"reflect"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// publishLater brings the EndpointSlices up to date when their controller gets
// to it.
func (c *Cluster) publishLater() { time.AfterFunc(c.delays.Publish, c.publish) }

// publish writes the EndpointSlices of all Services that select pods.
func (c *Cluster) publish() {
	for _, s := range list[*corev1.Service](c) {
		if len(s.Spec.Selector) > 0 {
			c.publishOf(s)
		}
	}
}

func (c *Cluster) publishOf(s *corev1.Service) {
	marks := map[string]string{discoveryv1.LabelServiceName: s.Name}
	maps.Copy(marks, s.Labels)
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: s.Name + "-slice", Namespace: s.Namespace, Labels: marks},
		AddressType: discoveryv1.AddressTypeIPv4, Endpoints: []discoveryv1.Endpoint{},
	}
	for _, p := range s.Spec.Ports {
		slice.Ports = append(slice.Ports, discoveryv1.EndpointPort{Name: new(p.Name), Port: new(int32(p.TargetPort.IntValue())), Protocol: new(p.Protocol)})
	}
	for _, p := range list[*corev1.Pod](c) {
		if p.Namespace != s.Namespace || !selects(s.Spec.Selector, p) {
			continue
		}
		terminating := p.DeletionTimestamp != nil
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
			Addresses: []string{p.Status.PodIP},
			Conditions: discoveryv1.EndpointConditions{
				Ready: new(ready(p) && !terminating), Serving: new(ready(p)), Terminating: new(terminating),
			},
			TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: p.Namespace, Name: p.Name, UID: p.UID},
		})
	}
	c.mu.Lock()
	old, known := c.objects[key(slice)].(*discoveryv1.EndpointSlice)
	c.mu.Unlock()
	if !known || !maps.Equal(old.Labels, marks) || !reflect.DeepEqual(old.Endpoints, slice.Endpoints) || !reflect.DeepEqual(old.Ports, slice.Ports) {
		c.Put(slice)
	}
}
