package preflight_test

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	scalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"sluice.dev/sluice/activities/kube/kubetest"
	"sluice.dev/sluice/activities/preflight"
	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/config"
)

// requestBySelector asks for selector mode.
func requestBySelector() preflight.InspectRequest {
	req := request()
	req.Rollout.Isolation = config.IsolateBySelector
	return req
}

// appliedBy is the user's Service whose selector a manager applies.
func appliedBy(manager string, annotations map[string]string) *corev1.Service {
	return changedService(func(s *corev1.Service) {
		s.Annotations = annotations
		s.ManagedFields = []metav1.ManagedFieldsEntry{
			{Manager: "helm", Operation: metav1.ManagedFieldsOperationUpdate, FieldsV1: fields(`{"f:spec":{"f:selector":{}}}`)},
			{Manager: "labeller", Operation: metav1.ManagedFieldsOperationApply, FieldsV1: fields(`{"f:metadata":{}}`)},
			{Manager: manager, Operation: metav1.ManagedFieldsOperationApply, FieldsV1: fields(`{"f:spec":{"f:selector":{}}}`)},
		}
	})
}

func fields(text string) *metav1.FieldsV1 { return &metav1.FieldsV1{Raw: []byte(text)} }

// ofDemo selects the pods of the workload.
var ofDemo = map[string]string{"app": "demo"}

func TestSelectorModeRefuses(t *testing.T) {
	other := named(kubetest.Deployment(1), "other")
	other.Spec.Selector.MatchLabels["tier"], other.Spec.Template.Labels["tier"] = "x", "x"
	cases := []struct {
		name                    string
		more                    runtime.Object
		object, problem, remedy string
	}{
		{"pods of others behind the Service", other, "Service shop/demo spec.selector", "would get no requests while it is narrowed", "isolation: label"},
		{"another Service of the pods", changedService(func(s *corev1.Service) { s.Name = "more" }), "Service shop/more", "it selects canary pods", "isolation: label"},
		{"the record of another rollout", changedService(func(s *corev1.Service) {
			s.Annotations = map[string]string{release.AnnotationRelease: `{"id":"r9","workflowId":"rollout:other"}`}
		}), "Service shop/demo", "belongs to rollout r9", "sluice abort"},
		{"Flux", appliedBy("kustomize-controller", nil), "Service shop/demo spec.selector", "kustomize-controller applies it", "spec: {ignore: [{paths: [/spec/selector], target: {kind: Service, name: demo}}]}"},
		{"Argo CD", appliedBy("argocd-controller", nil), "Service shop/demo spec.selector", "argocd-controller applies it", "RespectIgnoreDifferences=true"},
		{"a tool", appliedBy("tool", map[string]string{release.AnnotationIgnoredBy: "other"}), "Service shop/demo spec.selector", "tool applies it", "sluice.dev/ignored-by: tool"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				problems := refused(t, demo(nil, c.more), requestBySelector())
				require.Len(t, problems, 1, "%v", problems)
				require.Equal(t, c.object, problems[0].Object)
				require.Contains(t, problems[0].Problem, c.problem)
				require.Contains(t, problems[0].Remedy, c.remedy)
			})
		})
	}
}

func TestSelectorModeAllows(t *testing.T) {
	scaler := &scalingv2.HorizontalPodAutoscaler{Spec: scalingv2.HorizontalPodAutoscalerSpec{ScaleTargetRef: scalingv2.CrossVersionObjectReference{Kind: "Deployment", Name: "demo"}}}
	scaler.Name, scaler.Namespace = "auto", kubetest.Namespace
	cases := []struct {
		name string
		more runtime.Object
		warn string
	}{
		{"a network policy of stable pods", policy(netv1.NetworkPolicySpec{PodSelector: metav1.LabelSelector{MatchLabels: ofDemo}}), ""},
		{"an autoscaler", scaler, "average over canary pods too"},
		{"a headless Service", changedService(func(s *corev1.Service) { s.Name, s.Spec.ClusterIP = "all", corev1.ClusterIPNone }), "lists canary pods too"},
		{"a person with kubectl", appliedBy("kubectl", nil), "do not apply it again"},
		{"a tool that leaves it alone", appliedBy("tool", map[string]string{release.AnnotationIgnoredBy: "a, tool"}), ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				observed, err := inspect(t, demo(nil, c.more), requestBySelector())
				require.NoError(t, err)
				require.Equal(t, release.Isolation{Mode: config.IsolateBySelector}, observed.Ref.Isolation)
				if c.warn == "" {
					require.Empty(t, observed.Warnings)
					return
				}
				require.Len(t, observed.Warnings, 1)
				require.Contains(t, observed.Warnings[0], c.warn)
			})
		})
	}
}

// TestSelectorModeOfItsOwnRollout looks again after a reset of the workflow.
func TestSelectorModeOfItsOwnRollout(t *testing.T) {
	onAbandoned(t, func(a *abandoned) {
		a.narrowed()
		_, err := (&preflight.Activities{Cluster: a.cluster}).InspectRelease(a.t.Context(), requestBySelector())
		require.NoError(t, err)
	})
}

func TestNetworkPolicyRemedyNamesSelectorMode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		problems := refused(t, demo(nil, policy(netv1.NetworkPolicySpec{PodSelector: metav1.LabelSelector{MatchLabels: ofDemo}})), request())
		require.Contains(t, problems[0].Remedy, "write isolation: selector (spec.strategy.canary.isolation; in a Kruise document the annotation sluice.dev/isolation)")
		require.Contains(t, problems[0].Remedy, "matchExpressions")
	})
}

// narrowed makes the abandoned rollout one in selector mode, at a step.
func (a *abandoned) narrowed() {
	a.seen.Ref.Isolation = release.Isolation{Mode: config.IsolateBySelector}
	ref := func(seq int64) release.Ref {
		r := kubetest.Ref(seq)
		r.Isolation = a.seen.Ref.Isolation
		return r
	}
	var err error
	a.held, err = a.pods.HoldRevision(a.t.Context(), workload.HoldRequest{
		Ref: ref(1), Change: request().Change, Stable: a.seen.StableReplicaSet, Baseline: a.seen.Baseline,
	})
	a.settled(err)
	_, err = a.pods.NarrowService(a.t.Context(), workload.NarrowRequest{Ref: ref(2), Side: release.SideStable, Stable: a.seen.StableReplicaSet, Keep: true})
	a.settled(err)
	_, err = a.pods.EnsureCanary(a.t.Context(), workload.CanaryRequest{Ref: ref(3), Revision: a.held.Revision, Replicas: 1})
	a.settled(err)
}

func TestRemainsOfANarrowService(t *testing.T) {
	cases := []struct {
		name    string
		change  func(a *abandoned)
		selects release.Side
		mode    config.Isolation
	}{
		{"as it was left", func(*abandoned) {}, release.SideStable, config.IsolateBySelector},
		{"without the workload's record", (*abandoned).forget, "", config.IsolateBySelector},
		{"without the workload", func(a *abandoned) { a.server.Delete(kubetest.Deployment(5)) }, "", config.IsolateBySelector},
		{"without its own record", func(a *abandoned) {
			s := a.service()
			delete(s.Annotations, release.AnnotationRelease)
			a.server.Put(s)
		}, release.SideStable, config.IsolateBySelector},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			onAbandoned(t, func(a *abandoned) {
				a.narrowed()
				c.change(a)
				m, err := a.remains()
				require.NoError(a.t, err)
				require.True(a.t, m.Narrowed)
				require.Equal(a.t, c.selects, m.Selects)
				require.Equal(a.t, c.mode, m.Observed.Ref.Isolation.Mode)
				require.Equal(a.t, "demo", m.Observed.Ref.Service)
				require.Contains(a.t, m.String(), "Service demo ")
			})
		})
	}
}

func TestRemainsOfANarrowServiceAlone(t *testing.T) {
	onAbandoned(t, func(a *abandoned) {
		a.narrowed()
		a.forget()
		for _, o := range []runtime.Object{kubetest.Service(), named(kubetest.Deployment(1), "demo"), &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Namespace: kubetest.Namespace}}} {
			meta, _ := o.(metav1.Object)
			meta.SetName("demo-canary")
			a.server.Delete(o)
		}
		m, err := a.remains()
		require.NoError(a.t, err)
		require.True(a.t, m.Found)
		require.False(a.t, m.Canary)
		require.Equal(a.t, "demo", m.Observed.Ref.Service)
		require.Equal(a.t, int64(2), m.Observed.Ref.Seq)
	})
}

func (a *abandoned) service() *corev1.Service {
	obj, err := a.server.Tracker().Get(corev1.SchemeGroupVersion.WithResource("services"), kubetest.Namespace, "demo")
	a.settled(err)
	s, _ := obj.(*corev1.Service)
	return s.DeepCopy()
}
