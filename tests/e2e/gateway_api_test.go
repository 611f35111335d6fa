package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	fakegateway "sluice.dev/sluice/tests/chaos/gateway"
	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/tests/sandbox"
	"sluice.dev/sluice/tests/sandbox/build"
)

// gatewayAPIDoor is the address, inside, of the Traefik that follows the Gateway
// API.
const gatewayAPIDoor = "192.0.2.70"

// gatewayAPIKinds are the kinds of the Gateway API that Traefik watches.
var gatewayAPIKinds = []string{
	"gatewayclasses", "gateways", "httproutes", "grpcroutes", "tlsroutes", "referencegrants", "backendtlspolicies",
}

// gatewayAPIObjects are the Gateway of a stage and its class.
const gatewayAPIObjects = `
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: traefik}
spec: {controllerName: traefik.io/gateway-controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  gatewayClassName: traefik
  listeners: [{name: web, protocol: HTTP, port: 80}]
`

// TestFakeGatewayAgreesWithTheGatewayAPI shows routes of the Gateway API to a real
// Traefik, and what means the same to the fake gateway with that personality.
func TestFakeGatewayAgreesWithTheGatewayAPI(t *testing.T) {
	stage := newStage(t)
	stage.personality, stage.door = fakegateway.GatewayAPI, gatewayAPIDoor
	stage.installGatewayAPI(t)
	stage.startGatewayAPI(t)
	stage.agree(t, arrangements)
}

// httpRoute is what an arrangement is in the words of the Gateway API: a rule for
// its header, where it has one, before the rule of its weight.
func httpRoute(a arrangement) string {
	const canary = "nginx.ingress.kubernetes.io/canary"
	var weight int
	_, _ = fmt.Sscan(a.notes[canary+"-weight"], &weight)
	var text strings.Builder
	text.WriteString("apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: demo}\nspec:\n  parentRefs: [{name: edge}]\n  rules:\n")
	if header := a.notes[canary+"-by-header"]; header != "" {
		fmt.Fprintf(&text, "  - matches: [{headers: [{name: %s, value: %q}]}]\n    backendRefs: [{name: demo-canary, port: 80}]\n", header, a.notes[canary+"-by-header-value"])
	}
	fmt.Fprintf(&text, "  - backendRefs: [{name: demo, port: 80, weight: %d}, {name: demo-canary, port: 80, weight: %d}]\n", 100-weight, weight)
	return text.String()
}

// installGatewayAPI teaches the cluster the kinds of the Gateway API, as the module
// describes them that Traefik is built with, until the end of the case.
func (s *stage) installGatewayAPI(t *testing.T) {
	t.Helper()
	tests, err := sandbox.Root()
	require.NoError(t, err)
	download := exec.CommandContext(s.ctx, "go", "mod", "download", "-json", "sigs.k8s.io/gateway-api")
	download.Dir = filepath.Join(tests, "sandbox", "parts", "traefik")
	out, err := download.Output()
	require.NoError(t, err, "%s", out)
	var module struct{ Dir string }
	require.NoError(t, json.Unmarshal(out, &module))
	client, err := s.Sandbox.Dynamic()
	require.NoError(t, err)
	definitions := client.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	for _, kind := range gatewayAPIKinds {
		t.Cleanup(func() {
			require.NoError(t, definitions.Delete(context.Background(), kind+".gateway.networking.k8s.io", metav1.DeleteOptions{}))
		})
		require.NoError(t, s.Sandbox.ApplyFile(s.ctx, s.namespace, filepath.Join(module.Dir, "config", "crd", "standard", "gateway.networking.k8s.io_"+kind+".yaml")))
	}
	require.NoError(t, harness.Await(s.ctx, "the API server knows the kinds", func(ctx context.Context) (bool, error) {
		err := s.Sandbox.Apply(ctx, s.namespace, []byte(gatewayAPIObjects))
		return err == nil, err
	}))
}

// startGatewayAPI runs one more Traefik inside, which follows the Gateway API.
func (s *stage) startGatewayAPI(t *testing.T) {
	t.Helper()
	binaries, err := sandbox.Build(s.ctx, build.Progress{Out: os.Stderr})
	require.NoError(t, err)
	path := s.Sandbox.Dir().Log("traefik-gateway-api")
	log, err := os.Create(path)
	require.NoError(t, err)
	traefik := s.Sandbox.Command(context.WithoutCancel(s.ctx), binaries.Traefik,
		"--global.checknewversion=false", "--global.sendanonymoususage=false",
		"--entrypoints.web.address="+gatewayAPIDoor+":80",
		"--providers.kubernetesgateway=true", fmt.Sprintf("--providers.providersthrottleduration=%s", time.Second),
		"--log.level=INFO", "--log.nocolor=true")
	// The name would make it believe that it runs in a pod.
	traefik.Env = []string{"KUBERNETES_SERVICE_HOST="}
	traefik.Stdout, traefik.Stderr = log, log
	require.NoError(t, traefik.Start())
	t.Cleanup(func() {
		_ = traefik.Kill()
		<-traefik.Ended()
		require.NoError(t, log.Close())
	})
	t.Logf("the log of Traefik is %s", path)
}
