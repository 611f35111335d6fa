package cluster

import (
	"maps"
	"reflect"
	"strings"
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
	if c.replace(slice) && c.repacking.Load() {
		time.AfterFunc(c.delays.Publish, func() { c.copyOf(slice) })
	}
}

// replace writes an EndpointSlice if it says anything new.
func (c *Cluster) replace(slice *discoveryv1.EndpointSlice) bool {
	old := c.slice(slice)
	same := old != nil && maps.Equal(old.Labels, slice.Labels) && reflect.DeepEqual(old.Endpoints, slice.Endpoints) && reflect.DeepEqual(old.Ports, slice.Ports)
	if !same {
		c.Put(slice)
	}
	return !same
}

// slice returns the present version of an EndpointSlice; nil where there is none.
func (c *Cluster) slice(of *discoveryv1.EndpointSlice) *discoveryv1.EndpointSlice {
	c.mu.Lock()
	defer c.mu.Unlock()
	found, _ := c.objects[key(of)].(*discoveryv1.EndpointSlice)
	return found
}

// Repack lets every endpoint stand in two EndpointSlices of its Service for a while,
// as it may while a controller packs them anew: the second one says what the first
// does, but later, and goes as a whole in the end.
func (c *Cluster) Repack(period time.Duration) {
	c.repacking.Store(true)
	for _, slice := range list[*discoveryv1.EndpointSlice](c) {
		c.copyOf(slice)
	}
	time.AfterFunc(period, func() {
		c.repacking.Store(false)
		for _, slice := range list[*discoveryv1.EndpointSlice](c) {
			if strings.HasSuffix(slice.Name, second) {
				c.Delete(slice)
			}
		}
	})
}

// second ends the name of the EndpointSlice that has endpoints once more.
const second = "-again"

// copyOf writes what an EndpointSlice says now into a second one.
func (c *Cluster) copyOf(slice *discoveryv1.EndpointSlice) {
	now := c.slice(slice)
	if now == nil || !c.repacking.Load() {
		return
	}
	again := now.DeepCopy()
	again.ObjectMeta = metav1.ObjectMeta{Name: now.Name + second, Namespace: now.Namespace, Labels: now.Labels}
	c.replace(again)
}
