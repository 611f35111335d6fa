package chaos

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"sluice.dev/sluice/tests/chaos/frontend"
	"sluice.dev/sluice/tests/chaos/watcher"
	"sluice.dev/sluice/workflows"
)

// conflicts says how runs end in which somebody else had written first.
type conflicts struct {
	// stranger is somebody else's object whose name the rollout was about to take.
	stranger runtime.Object
	// Taken: there was one. Refused: the rollout stopped because of it. Given up:
	// a person aborted it then, and did not make room.
	Taken, Refused, GivenUp bool
}

// takeName gives the name of an object that is about to be created to an object
// of somebody else, which has nothing to do with the rollout.
func (s *sim) takeName(a clienttesting.CreateAction) {
	named, _ := a.GetObject().(metav1.Object)
	meta := metav1.ObjectMeta{Name: named.GetName(), Namespace: a.GetNamespace(), Annotations: map[string]string{watcher.Stranger: "yes"}}
	labels := map[string]string{"app": "stranger"}
	var obj runtime.Object
	switch a.GetObject().(type) {
	case *appsv1.Deployment:
		template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "stranger:v1"}}}}
		obj = &appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{Replicas: new(int32), Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: template}}
	case *corev1.Service:
		obj = &corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{Selector: labels, Ports: []corev1.ServicePort{{Name: "http", Port: 80}}}}
	case *policyv1.PodDisruptionBudget:
		obj = &policyv1.PodDisruptionBudget{ObjectMeta: meta, Spec: policyv1.PodDisruptionBudgetSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}}}
	case *netv1.Ingress:
		obj = &netv1.Ingress{ObjectMeta: meta, Spec: netv1.IngressSpec{IngressClassName: new("nginx"), Rules: []netv1.IngressRule{{Host: "stranger.example"}}}}
	default:
		s.problem("nobody knows what a stranger's %T looks like", a.GetObject())
		return
	}
	s.cluster.Put(obj)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conflicts = conflicts{stranger: obj, Taken: true}
}

// makeRoom is what a person does about a rollout that stopped because a name is
// taken: either the stranger goes and the rollout is tried again, or it is given
// up. It says whether that was the reason.
func (s *sim) makeRoom(v frontend.View, phase workflows.Phase) bool {
	s.mu.Lock()
	stranger := s.conflicts.stranger
	if stranger == nil || phase != workflows.PhaseStuck {
		s.mu.Unlock()
		return false
	}
	giveUp := s.random.IntN(2) == 0
	s.conflicts.Refused, s.conflicts.GivenUp = true, giveUp
	if !giveUp {
		s.conflicts.stranger = nil
	}
	s.mu.Unlock()
	if giveUp {
		s.act(Act{Verb: workflows.VerbAbort}, v)
		return true
	}
	s.watcher.Leaves()
	s.cluster.Delete(stranger)
	s.act(Act{Verb: workflows.VerbRetry}, v)
	return true
}
