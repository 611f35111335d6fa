package admission_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"sluice.dev/sluice/config"
	"sluice.dev/sluice/starter/watch/admission"
)

// rollouts is what the caches know in these tests.
type rollouts struct {
	governor *admission.Governor
	holder   string
}

func (r rollouts) Governor(string, string, string) *admission.Governor       { return r.governor }
func (r rollouts) Holder(*config.Rollout, *unstructured.Unstructured) string { return r.holder }
func (r rollouts) Ours(*unstructured.Unstructured) bool                      { return true }

// review asks a webhook.
func review(t *testing.T, known rollouts, path string, before, after any) *admissionv1.AdmissionResponse {
	t.Helper()
	return reviewBy(t, &admission.Server{Rollouts: known, Log: slog.New(slog.DiscardHandler)}, "kubectl-set", path, before, after)
}

// reviewBy asks a webhook about a write of a manager of fields.
func reviewBy(t *testing.T, s *admission.Server, manager, path string, before, after any) *admissionv1.AdmissionResponse {
	t.Helper()
	req := &admissionv1.AdmissionRequest{
		UID: "u1", Kind: metav1.GroupVersionKind{Kind: "Deployment"}, Namespace: "shop", Name: "demo",
		Object: raw(t, after), OldObject: raw(t, before), Options: runtime.RawExtension{Raw: []byte(`{"fieldManager":"` + manager + `"}`)},
	}
	req.UserInfo.Username = "ann"
	body, err := json.Marshal(admissionv1.AdmissionReview{TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"}, Request: req})
	require.NoError(t, err)
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, bytes.NewReader(body)))
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	var answer admissionv1.AdmissionReview
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer))
	require.Equal(t, "u1", string(answer.Response.UID))
	return answer.Response
}

func raw(t *testing.T, obj any) runtime.RawExtension {
	t.Helper()
	if obj == nil {
		return runtime.RawExtension{}
	}
	data, err := json.Marshal(obj)
	require.NoError(t, err)
	return runtime.RawExtension{Raw: data}
}

func TestHoldOverHTTP(t *testing.T) {
	answer := review(t, rollouts{governor: governor}, admission.PathHold, deployment("v1", nil), deployment("v2", nil))
	require.True(t, answer.Allowed)
	require.Contains(t, string(answer.Patch), `"path":"/spec/paused"`)
	require.Contains(t, string(answer.Patch), `ann (kubectl-set)`)
}

func TestMarkThatCannotBeReadLetsTheWritePass(t *testing.T) {
	broken := deployment("v1", nil)
	broken.Annotations["sluice.dev/hold"] = "{"
	answer := review(t, rollouts{}, admission.PathHold, broken, deployment("v2", nil))
	require.True(t, answer.Allowed)
	require.Len(t, answer.Warnings, 1)
}

const document = `
apiVersion: rollouts.kruise.io/v1beta1
kind: Rollout
metadata: {name: web, namespace: shop, uid: u, generation: 2, managedFields: [{manager: kubectl}]}
spec:
  objectRef: {workloadRef: {apiVersion: apps/v1, kind: Deployment, name: demo}}
  strategy:
    canary:
      steps: [{weight: 10, replicas: 1, pause: {}}, {weight: 30, replicas: 2, pause: {}}]
      trafficRoutings: [{service: demo, type: nginx, ingress: {name: demo}}]
status: {phase: Progressing}
`

// rollout returns the document with one text replaced.
func rollout(t *testing.T, old, replacement string) map[string]any {
	t.Helper()
	var obj map[string]any
	require.NoError(t, yaml.Unmarshal(bytes.ReplaceAll([]byte(document), []byte(old), []byte(replacement)), &obj))
	return obj
}

// leaving is the document with one text replaced, while it is being deleted.
func leaving(t *testing.T, old, replacement string) map[string]any {
	t.Helper()
	obj := rollout(t, old, replacement)
	obj["metadata"].(map[string]any)["deletionTimestamp"] = "2026-01-02T03:04:05Z"
	obj["status"] = map[string]any{"phase": "Terminating"}
	return obj
}

func TestOwnFieldsOfTheRouteAreDecidedOnce(t *testing.T) {
	before, err := config.ParseOne(raw(t, beta(t, false)).Raw, config.Options{})
	require.NoError(t, err)
	cases := map[string]struct {
		edit func(*config.Rollout)
		want string
	}{
		"confirm":        {func(r *config.Rollout) { r.Traffic.Confirm.Level = "grace" }, "trafficRoutings"},
		"isolation":      {func(r *config.Rollout) { r.Isolation = config.IsolateBySelector }, "spec.isolation"},
		"confirmTimeout": {func(r *config.Rollout) { r.Traffic.ConfirmTimeout++ }, ""},
	}
	for name, c := range cases {
		after := before
		c.edit(&after)
		err := admission.CheckEdit("Progressing", &before, &after)
		if c.want == "" {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorContains(t, err, c.want, name)
	}
}

func TestTheWatcherMayNoteOnAWrongDocument(t *testing.T) {
	wrong := rollout(t, "weight: 10", "weight: 101")
	noted := rollout(t, "weight: 10", "weight: 101")
	noted["metadata"].(map[string]any)["annotations"] = map[string]any{"sluice.dev/aborted": "r"}
	s := &admission.Server{Rollouts: rollouts{}, Log: slog.New(slog.DiscardHandler)}
	for manager, allowed := range map[string]bool{"sluice-watch": true, "kubectl": false} {
		answer := reviewBy(t, s, manager, admission.PathValidate, wrong, noted)
		require.Equal(t, allowed, answer.Allowed, manager)
	}
}

// beta is a v1beta1 document with two steps, or three.
func beta(t *testing.T, more bool) map[string]any {
	t.Helper()
	text := `
apiVersion: rollouts.kruise.io/v1beta1
kind: Rollout
metadata: {name: web, namespace: shop}
spec:
  workloadRef: {apiVersion: apps/v1, kind: Deployment, name: demo}
  strategy:
    canary:
      enableExtraWorkloadForCanary: true
      steps: [{traffic: 10%, replicas: 1, pause: {}}, {traffic: 30%, replicas: 2, pause: {}}]
      trafficRoutings: [{service: demo, ingress: {name: demo}}]
status: {phase: Progressing}
`
	if more {
		text = strings.Replace(text, "steps: [", "steps: [{traffic: 5%, replicas: 1, pause: {}}, ", 1)
	}
	var obj map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(text), &obj))
	return obj
}

func TestRulesOfDocuments(t *testing.T) {
	good := rollout(t, "", "")
	cases := map[string]struct {
		known         rollouts
		before, after map[string]any
		want          string
	}{
		"a right one, read in another version": {after: good},
		"impossible weight":                    {after: rollout(t, "weight: 10", "weight: 101"), want: "weight"},
		"unknown field":                        {after: rollout(t, "service: demo", "servise: demo"), want: "servise"},
		"unknown policy":                       {after: rollout(t, "uid: u", `uid: u, annotations: {sluice.dev/on-new-revision: perhaps}`), want: "supersede, queue, reject"},
		"known policies":                       {after: rollout(t, "uid: u", `uid: u, annotations: {sluice.dev/on-new-revision: queue, sluice.dev/on-delete: rollback}`)},
		"second Rollout":                       {known: rollouts{holder: "first"}, after: good, want: "has Rollout first already"},
		"other workload":                       {before: good, after: rollout(t, "name: demo}}\n  strategy", "name: other}}\n  strategy"), want: "workloadRef is immutable"},
		"other route":                          {before: good, after: rollout(t, "ingress: {name: demo}", "ingress: {name: other}"), want: "trafficRoutings is immutable"},
		"another step":                         {before: beta(t, false), after: beta(t, true), want: "the number of spec.strategy.canary.steps is immutable"},
		"another step in v1alpha1":             {before: good, after: rollout(t, "steps: [", "steps: [{weight: 5, replicas: 1, pause: {}}, ")},
		"other pause":                          {before: good, after: rollout(t, "replicas: 1, pause: {}", "replicas: 1, pause: {duration: 5}")},
		"a wrong one is mended":                {before: rollout(t, "weight: 10", "weight: 101"), after: good},
		"a shorter grace":                      {before: good, after: rollout(t, "{service: demo, type", "{service: demo, gracePeriodSeconds: 9, type")},
		"other class of route":                 {before: good, after: rollout(t, "type: nginx", "type: higress"), want: "trafficRoutings"},
		"other route, while it is disabled":    {before: rollout(t, "Progressing", "Disabling"), after: rollout(t, "ingress: {name: demo}", "ingress: {name: other}"), want: "while the Rollout is Disabling"},
		"other route, while it is deleted":     {before: leaving(t, "", ""), after: leaving(t, "ingress: {name: demo}", "ingress: {name: other}"), want: "while the Rollout is Terminating"},
		"another way to leave":                 {before: leaving(t, "", ""), after: leaving(t, "uid: u", "uid: u, annotations: {sluice.dev/on-delete: rollback}")},
		"a wrong one that is deleted":          {before: leaving(t, "", ""), after: leaving(t, "weight: 10", "weight: 101")},
		"other route at rest":                  {before: rollout(t, "Progressing", "Healthy"), after: rollout(t, "ingress: {name: demo}", "ingress: {name: other}")},
		"deleted":                              {after: rollout(t, "weight: 10", "weight: 101, pause: {}, replicas: 1}, {weight: 10"), want: "weight"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var before any
			if c.before != nil {
				before = c.before
			}
			answer := review(t, c.known, admission.PathValidate, before, c.after)
			if c.want == "" {
				require.True(t, answer.Allowed, "%v", answer.Result)
				return
			}
			require.False(t, answer.Allowed)
			require.Contains(t, answer.Result.Message, c.want)
		})
	}
}

func TestWhatIsNotAReview(t *testing.T) {
	s := &admission.Server{Rollouts: rollouts{}, Log: slog.New(slog.DiscardHandler)}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodPost, admission.PathHold, bytes.NewReader([]byte("{}"))))
	require.Equal(t, http.StatusBadRequest, w.Code)
}
