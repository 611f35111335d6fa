package kubetest

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
)

// settle runs the controllers until nothing is left to do.
func (s *Server) settle() {
	if s.frozen {
		return
	}
	s.collect()
	for _, d := range all[*appsv1.Deployment](s, &appsv1.Deployment{}) {
		s.syncDeployment(d)
	}
	for _, svc := range all[*corev1.Service](s, &corev1.Service{}) {
		s.syncSlices(svc)
	}
}

// collect deletes what has lost its controller, twice: ReplicaSets of deleted
// Deployments, then their pods; and the slices of deleted Services.
func (s *Server) collect() {
	alive := map[string]bool{}
	for _, d := range all[*appsv1.Deployment](s, &appsv1.Deployment{}) {
		alive[string(d.UID)] = true
	}
	for _, rs := range all[*appsv1.ReplicaSet](s, &appsv1.ReplicaSet{}) {
		if o := metav1.GetControllerOf(rs); o != nil && !alive[string(o.UID)] {
			s.drop(rs)
			continue
		}
		alive[string(rs.UID)] = true
	}
	for _, p := range all[*corev1.Pod](s, &corev1.Pod{}) {
		if o := metav1.GetControllerOf(p); o != nil && !alive[string(o.UID)] {
			s.drop(p)
		}
	}
	for _, e := range all[*discoveryv1.EndpointSlice](s, &discoveryv1.EndpointSlice{}) {
		if _, err := s.Tracker().Get(resourceOf(&corev1.Service{}), e.Namespace, e.Labels[discoveryv1.LabelServiceName]); err != nil {
			s.drop(e)
		}
	}
}

// syncDeployment brings the pods of a Deployment to its template, at once, and
// reports the status. A paused one is scaled, but keeps its template. A template
// whose pods do not become ready never replaces the old one.
func (s *Server) syncDeployment(d *appsv1.Deployment) {
	sets := s.setsOf(d)
	want := templateHash(d.Spec.Template)
	active := activeSet(sets)
	if active == nil || (!d.Spec.Paused && active.Labels[appsv1.DefaultDeploymentUniqueLabelKey] != want) {
		active = s.switchTo(d, sets, want)
	}
	s.scale(active, *d.Spec.Replicas)
	s.report(d)
}

func (s *Server) switchTo(d *appsv1.Deployment, sets []*appsv1.ReplicaSet, want string) *appsv1.ReplicaSet {
	var target *appsv1.ReplicaSet
	for _, rs := range sets {
		if rs.Labels[appsv1.DefaultDeploymentUniqueLabelKey] == want {
			target = rs
		}
	}
	if target == nil {
		target = s.newSet(d, want)
	}
	s.scale(target, *d.Spec.Replicas)
	if ready, _ := s.count(target); ready < *d.Spec.Replicas {
		return target
	}
	for _, rs := range sets {
		if rs.Name != target.Name {
			s.scale(rs, 0)
		}
	}
	return target
}

func (s *Server) newSet(d *appsv1.Deployment, hash string) *appsv1.ReplicaSet {
	key := appsv1.DefaultDeploymentUniqueLabelKey
	rs := &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Name: d.Name + "-" + hash, Namespace: d.Namespace, Labels: maps.Clone(d.Spec.Template.Labels),
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(d, appsv1.SchemeGroupVersion.WithKind("Deployment"))},
		},
		Spec: appsv1.ReplicaSetSpec{Replicas: new(int32), Selector: d.Spec.Selector.DeepCopy(), Template: *d.Spec.Template.DeepCopy()},
	}
	rs.Labels[key] = hash
	if rs.Spec.Template.Labels == nil {
		rs.Spec.Template.Labels = map[string]string{}
	}
	rs.Spec.Template.Labels[key] = hash
	rs.Spec.Selector.MatchLabels[key] = hash
	s.store(rs)
	return rs
}

// scale creates or deletes pods until a ReplicaSet has n of them.
func (s *Server) scale(rs *appsv1.ReplicaSet, n int32) {
	pods := s.podsOf(rs)
	for i := int32(len(pods)); i < n; i++ {
		s.store(s.newPod(rs, i))
	}
	for i := n; i < int32(len(pods)); i++ {
		s.drop(pods[i])
	}
	for _, p := range s.podsOf(rs) {
		if s.refresh(p) {
			s.store(p)
		}
	}
	ready, total := s.count(rs)
	if *rs.Spec.Replicas == n && rs.Status.Replicas == total && rs.Status.ReadyReplicas == ready {
		return
	}
	rs.Spec.Replicas, rs.Status.Replicas, rs.Status.ReadyReplicas, rs.Status.AvailableReplicas = &n, total, ready, ready
	s.store(rs)
}

func (s *Server) newPod(rs *appsv1.ReplicaSet, i int32) *corev1.Pod {
	s.ips++
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: fmt.Sprintf("%s-%d", rs.Name, i), Namespace: rs.Namespace, Labels: maps.Clone(rs.Spec.Template.Labels),
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(rs, appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))},
		},
		Spec:   *rs.Spec.Template.Spec.DeepCopy(),
		Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIP: fmt.Sprintf("10.1.%d.%d", s.ips/250, 1+s.ips%250)},
	}
	s.refresh(p)
	return p
}

// refresh sets the readiness of a pod and reports whether it changed.
func (s *Server) refresh(p *corev1.Pod) bool {
	ready := s.podReady == nil || s.podReady(Images(p.Spec.Containers))
	status := corev1.ConditionFalse
	if ready {
		status = corev1.ConditionTrue
	}
	if len(p.Status.Conditions) == 1 && p.Status.Conditions[0].Status == status {
		return false
	}
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: status}}
	p.Status.ContainerStatuses = nil
	for _, c := range p.Spec.Containers {
		cs := corev1.ContainerStatus{Name: c.Name, Ready: ready}
		if !ready {
			cs.State.Waiting = &corev1.ContainerStateWaiting{Reason: s.trouble}
		}
		p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, cs)
	}
	return true
}

// report writes the status of a Deployment.
func (s *Server) report(d *appsv1.Deployment) {
	status := appsv1.DeploymentStatus{ObservedGeneration: d.Generation}
	want := templateHash(d.Spec.Template)
	for _, rs := range s.setsOf(d) {
		ready, total := s.count(rs)
		status.Replicas += total
		status.ReadyReplicas += ready
		status.AvailableReplicas += ready
		if rs.Labels[appsv1.DefaultDeploymentUniqueLabelKey] == want {
			status.UpdatedReplicas = total
		}
	}
	status.UnavailableReplicas = status.Replicas - status.AvailableReplicas
	if fmt.Sprint(status) == fmt.Sprint(d.Status) {
		return
	}
	d.Status = status
	s.store(d)
}

// syncSlices publishes the pods that a Service selects.
func (s *Server) syncSlices(svc *corev1.Service) {
	selector := labels.SelectorFromSet(svc.Spec.Selector)
	marks := map[string]string{}
	maps.Copy(marks, svc.Labels)
	marks[discoveryv1.LabelServiceName] = svc.Name
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: svc.Name + "-slice", Namespace: svc.Namespace, Labels: marks},
		AddressType: discoveryv1.AddressTypeIPv4,
	}
	for _, p := range all[*corev1.Pod](s, &corev1.Pod{}) {
		if p.Namespace != svc.Namespace || len(svc.Spec.Selector) == 0 || !selector.Matches(labels.Set(p.Labels)) {
			continue
		}
		ready, serving, terminating := isReady(p) && p.DeletionTimestamp == nil, isReady(p), p.DeletionTimestamp != nil
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
			Addresses:  []string{p.Status.PodIP},
			Conditions: discoveryv1.EndpointConditions{Ready: &ready, Serving: &serving, Terminating: &terminating},
			TargetRef:  &corev1.ObjectReference{Kind: "Pod", Namespace: p.Namespace, Name: p.Name, UID: p.UID},
		})
	}
	old, err := s.Tracker().Get(resourceOf(slice), slice.Namespace, slice.Name)
	if err == nil {
		if o, ok := old.(*discoveryv1.EndpointSlice); ok && jsonText(o.Endpoints) == jsonText(slice.Endpoints) && maps.Equal(o.Labels, slice.Labels) {
			return
		}
	}
	s.store(slice)
}

func (s *Server) setsOf(d *appsv1.Deployment) []*appsv1.ReplicaSet {
	return slices.DeleteFunc(all[*appsv1.ReplicaSet](s, &appsv1.ReplicaSet{}), func(rs *appsv1.ReplicaSet) bool { return !metav1.IsControlledBy(rs, d) })
}

func (s *Server) podsOf(rs *appsv1.ReplicaSet) []*corev1.Pod {
	return slices.DeleteFunc(all[*corev1.Pod](s, &corev1.Pod{}), func(p *corev1.Pod) bool { return !metav1.IsControlledBy(p, rs) })
}

func (s *Server) count(rs *appsv1.ReplicaSet) (ready, total int32) {
	for _, p := range s.podsOf(rs) {
		total++
		if isReady(p) {
			ready++
		}
	}
	return ready, total
}

func activeSet(sets []*appsv1.ReplicaSet) *appsv1.ReplicaSet {
	for _, rs := range sets {
		if *rs.Spec.Replicas > 0 {
			return rs
		}
	}
	return nil
}

// all returns copies of all objects of one type, by name.
func all[T runtime.Object](s *Server, kind T) []T {
	gvr := resourceOf(kind)
	kinds := gvr.GroupVersion().WithKind(fmt.Sprintf("%T", kind)[strings.LastIndexByte(fmt.Sprintf("%T", kind), '.')+1:])
	list, err := s.Tracker().List(gvr, kinds, "")
	must(err)
	data, err := json.Marshal(list)
	must(err)
	var items struct {
		Items []T `json:"items"`
	}
	must(json.Unmarshal(data, &items))
	slices.SortFunc(items.Items, func(a, b T) int { return strings.Compare(meta(a).GetName(), meta(b).GetName()) })
	return items.Items
}

// Images returns the images of containers by name.
func Images(containers []corev1.Container) map[string]string {
	images := map[string]string{}
	for _, c := range containers {
		images[c.Name] = c.Image
	}
	return images
}

func isReady(p *corev1.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

func templateHash(t corev1.PodTemplateSpec) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(jsonText(t)))
	return fmt.Sprintf("%08x", h.Sum32())
}

func jsonText(v any) string {
	data, err := json.Marshal(v)
	must(err)
	return string(data)
}
