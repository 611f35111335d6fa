package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/workflows"
)

// quota that holds the pods of the workload but no canary beside them.
const quota = `
apiVersion: v1
kind: ResourceQuota
metadata: {name: tight}
spec: {hard: {pods: "5"}}
`

// neighbours are objects to which a document may point by mistake: a Service of
// other pods, with an Ingress; an Ingress to a Service that does not exist; and a
// workload whose pod no node takes, with both.
const neighbours = `
apiVersion: v1
kind: Service
metadata: {name: stray}
spec: {selector: {app: stray}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: stray, annotations: {kubernetes.io/ingress.class: nginx}}
spec:
  rules:
  - http: {paths: [{path: /stray, pathType: Exact, backend: {service: {name: stray, port: {number: 80}}}}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: lost, annotations: {kubernetes.io/ingress.class: nginx}}
spec:
  rules:
  - http: {paths: [{path: /lost, pathType: Exact, backend: {service: {name: nowhere, port: {number: 80}}}}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: waiting}
spec:
  replicas: 1
  selector: {matchLabels: {app: waiting}}
  template:
    metadata: {labels: {app: waiting}}
    spec:
      nodeSelector: {example.com/nowhere: "true"}
      containers: [{name: main, image: "registry.cn-hangzhou.aliyuncs.com/mse-ingress/version:v1", ports: [{containerPort: 8080}]}]
---
apiVersion: v1
kind: Service
metadata: {name: waiting}
spec: {selector: {app: waiting}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: waiting, annotations: {kubernetes.io/ingress.class: nginx}}
spec:
  rules:
  - http: {paths: [{path: /waiting, pathType: Exact, backend: {service: {name: waiting, port: {number: 80}}}}]}
`

// pointing is a document with the names of its workload, Service and Ingress.
const pointing = `apiVersion: sluice.dev/v1alpha1
kind: Rollout
metadata: {name: pointing}
spec:
  workloadRef: {apiVersion: apps/v1, kind: Deployment, name: %s}
  strategy:
    canary:
      steps:
      - {traffic: 10%%, replicas: 1, hold: approval}
      trafficRoutings:
      - service: %s
        ingress: {name: %s}
`

// TestRefusedBeforeAnythingIsTouched goes through what makes a release
// impossible, and finds the namespace unchanged after each, and everybody served.
func TestRefusedBeforeAnythingIsTouched(t *testing.T) {
	r := newRollout(t)
	require.NoError(t, r.Sandbox.Apply(r.ctx, r.namespace, []byte(neighbours)))
	require.NoError(t, harness.Await(r.ctx, "controllers have seen the neighbours", func(ctx context.Context) (bool, error) {
		s, err := r.Snapshot(ctx, r.namespace)
		return s["EndpointSlices of stray"] != "" && s["EndpointSlices of waiting"] != "" && s["Pods of waiting"] != "", err
	}))
	r.remember()
	seed, err := harness.SeedFile("rollout-canary.yaml")
	require.NoError(t, err)
	v2 := "main=" + harness.Image("v2")
	for _, c := range []struct{ name, file, image, want string }{
		{"no such container", seed, "sidecar=" + harness.Image("v2"), "sidecar"},
		{"nothing to roll out", seed, "main=" + harness.Image("v1"), "nothing to roll out"},
		{"no such workload", r.pointing("none", "demo", "demo"), v2, "Deployment NAMESPACE/none: it does not exist"},
		{"no such Service", r.pointing("demo", "nowhere", "lost"), v2, "Service NAMESPACE/nowhere: it does not exist"},
		{"no such Ingress", r.pointing("demo", "demo", "none"), v2, "Ingress NAMESPACE/none: it does not exist"},
		{"a Service of other pods", r.pointing("demo", "stray", "stray"), v2, "app=stray does not select the pods of Deployment demo"},
		{"an Ingress without a rule", r.pointing("demo", "demo", "lost"), v2, "no rule has Service demo as its backend"},
		{"no ready pod", r.pointing("waiting", "waiting", "waiting"), v2, "none of its 1 pods is ready"},
	} {
		t.Log(c.name)
		r.refusedUntouched(strings.ReplaceAll(c.want, "NAMESPACE", r.namespace), "-f", c.file, "--image", c.image)
	}

	require.NoError(t, r.Sandbox.Apply(r.ctx, r.namespace, []byte(quota)))
	r.refusedUntouched("tight", "-f", seed, "--image", v2)
	require.NoError(t, r.Kube.CoreV1().ResourceQuotas(r.namespace).Delete(r.ctx, "tight", metav1.DeleteOptions{}))

	r.start("rollout-canary.yaml", "v2")
	r.holdAt(1, 10, "v2")
	before := r.before
	r.remember()
	other := r.otherWorker("--cluster", "other")
	defer func() { require.NoError(t, other.Kill()) }()
	r.refusedUntouched("of workflow "+harness.DemoWorkflow(r.namespace)+" is open on it", "-f", seed, "--image", "main="+harness.Image("v3"), "--cluster", "other")
	r.await(workflows.PhaseHolding, 1)
	r.before = before
	r.sluice("abort", harness.Demo)
	r.await(workflows.PhaseRolledBack, 0)
	r.finish()
	r.restored("v1")
}

// pointing writes a document that names these objects.
func (r *rollout) pointing(workload, service, ingress string) string {
	r.t.Helper()
	path := filepath.Join(r.t.TempDir(), "rollout.yaml")
	require.NoError(r.t, os.WriteFile(path, fmt.Appendf(nil, pointing, workload, service, ingress), 0o600))
	return path
}

// refusedUntouched starts a rollout that is refused, and requires that it says why
// and has written nothing.
func (r *rollout) refusedUntouched(why string, args ...string) {
	r.t.Helper()
	versions := r.versions()
	out, err := r.Sluice(r.ctx, r.namespace, append([]string{"start", "--wait", "--timeout", "1m"}, args...)...)
	require.NoError(r.t, err)
	require.Equal(r.t, 1, out.Code, "%s%s", out.Stdout, out.Stderr)
	require.Contains(r.t, words(out.Stdout+out.Stderr), why)
	require.Equal(r.t, versions, r.versions(), "something was written")
	r.restored("v1")
}

// versions of the objects that a rollout writes to.
func (r *rollout) versions() []string {
	r.t.Helper()
	d, err := r.Deployment(r.ctx, r.namespace)
	require.NoError(r.t, err)
	in, err := r.Kube.NetworkingV1().Ingresses(r.namespace).Get(r.ctx, harness.Demo, metav1.GetOptions{})
	require.NoError(r.t, err)
	return []string{d.ResourceVersion, r.service().ResourceVersion, in.ResourceVersion}
}

// TestStartForCI shows the exit codes that a CI job relies on.
func TestStartForCI(t *testing.T) {
	r := newRollout(t)
	file, err := harness.SeedFile("rollout-canary.yaml")
	require.NoError(t, err)
	start := []string{"start", "-f", file, "--image", "main=" + harness.Image("v2"), "--wait"}

	out, err := r.Sluice(r.ctx, r.namespace, append(start, "--timeout", "15s")...)
	require.NoError(t, err)
	require.Equal(t, 4, out.Code, "%s%s", out.Stdout, out.Stderr)
	require.NotContains(t, out.Stdout+out.Stderr, "\x1b", "control codes in a CI log")

	other, err := r.Sluice(r.ctx, r.namespace, "start", "-f", file, "--image", "main="+harness.Image("v3"))
	require.NoError(t, err)
	require.Equal(t, 1, other.Code)
	require.Contains(t, other.Stdout, "Holding")
	require.Contains(t, other.Stderr, "sluice revise")

	status := r.sluice("status", harness.Demo)
	for line := range strings.Lines(status) {
		require.LessOrEqual(t, len([]rune(strings.TrimRight(line, "\n"))), 80, line)
	}
	require.Contains(t, status, "10")
	require.Contains(t, r.sluice("list"), harness.Demo)

	r.sluice("promote", harness.Demo, "--full", "--reason", "good")
	out, err = r.Sluice(r.ctx, r.namespace, append(start, "--timeout", "2m")...)
	require.NoError(t, err)
	require.Equal(t, 0, out.Code, "%s%s", out.Stdout, out.Stderr)
	r.await(workflows.PhasePromoted, 0)
	require.Contains(t, r.sluice("history", harness.Demo), "good")
	r.finish()
	r.restored("v2")
}
