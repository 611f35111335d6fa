package preview

import (
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/activities/preflight"
	"sluice.dev/sluice/activities/traffic/gateway"
	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/workflows/plan"
)

// seed reads a file of the command line's tests: the manifests and documents
// that everything began with.
func seed(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("../cli/testdata/" + name)
	require.NoError(t, err)
	return data
}

func request(t *testing.T, image string) preflight.InspectRequest {
	t.Helper()
	doc, err := config.ParseOne(seed(t, "rollout.yaml"), config.Options{})
	require.NoError(t, err)
	return preflight.InspectRequest{ID: "plan", Rollout: doc, Change: workload.Change{Images: map[string]string{"main": image}}}
}

func TestMake(t *testing.T) {
	req := request(t, "version:v2")
	observed, err := InspectManifests(t.Context(), seed(t, "app.yaml"), nil, req)
	require.NoError(t, err)

	got, err := Make("here", &req.Rollout, observed)

	require.NoError(t, err)
	require.Equal(t, 5, got.Replicas)
	require.Equal(t, 5, got.Ready)
	require.Contains(t, got.Warnings, fromFile)
	require.Len(t, got.Stages, 3)
	require.Equal(t, []string{"approval", "approval", "none"}, []string{got.Stages[0].Hold, got.Stages[1].Hold, got.Stages[2].Hold})
	require.Equal(t, []plan.Kind{plan.HoldRevision, plan.EnsureCanary, plan.SetRoute, plan.SetRoute}, kinds(got.Stages[0]))
	require.Equal(t, []plan.Kind{plan.EnsureCanary, plan.SetRoute}, kinds(got.Stages[1]))
	last := got.Stages[2].Operations
	require.Equal(t, plan.ReleaseWorkload, last[len(last)-1].Kind)
	require.Zero(t, last[len(last)-1].Canary)
	for _, stage := range got.Stages {
		for _, op := range stage.Operations {
			require.NotEmpty(t, op.What)
			require.NotNil(t, op.Objects)
		}
	}
}

func TestMakeBySelector(t *testing.T) {
	req := request(t, "version:v2")
	req.Rollout.Isolation = config.IsolateBySelector
	observed, err := InspectManifests(t.Context(), seed(t, "app.yaml"), nil, req)
	require.NoError(t, err)

	got, err := Make("here", &req.Rollout, observed)

	require.NoError(t, err)
	require.Equal(t, []plan.Kind{plan.HoldRevision, plan.NarrowService, plan.EnsureCanary, plan.SetRoute, plan.SetRoute}, kinds(got.Stages[0]))
	narrow := got.Stages[0].Operations[1]
	require.Equal(t, "let the Service select the stable pods of the workload only", narrow.What)
	require.Equal(t, "the same ready endpoints before and after", narrow.Needs)
	require.Equal(t, []string{"Service/demo"}, narrow.Objects)
	require.Equal(t, []plan.Kind{
		plan.EnsureCanary, plan.SetRoute, plan.Drain, plan.WidenService, plan.PromoteStable, plan.NarrowService, plan.SetRoute,
		plan.Drain, plan.RemoveRoute, plan.RemoveCanary, plan.WidenService, plan.ReleaseWorkload,
	}, kinds(got.Stages[2]))
	require.Equal(t, "5 ready new pods", got.Stages[2].Operations[5].Needs)
	require.Contains(t, got.Objects, Object{Name: "Service/demo", Action: "its selector narrowed and restored"})
	for _, op := range got.Stages[2].Operations {
		require.NotEmpty(t, op.Waits)
	}
}

// neighbours are an autoscaler that is kept from scaling down, one that may not anyway,
// and a budget of all pods with the workload's labels.
const neighbours = `
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: demo}
spec: {maxReplicas: 9, minReplicas: 2, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: demo}}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: only-up}
spec:
  maxReplicas: 9
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: demo}
  behavior: {scaleDown: {selectPolicy: Disabled}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: all}
spec: {maxUnavailable: 1, selector: {matchLabels: {app: demo}}}
`

func TestMakeNamesAutoscalersAndBudgets(t *testing.T) {
	frozen := Object{Name: "HorizontalPodAutoscaler/demo", Action: "may not scale down until the end, restored"}
	own := Object{Name: "PodDisruptionBudget/demo-canary", Action: "made, removed at the end"}
	users := Object{Name: "PodDisruptionBudget/all", Action: "read only: it covers canary pods, too"}
	for isolation, budget := range map[config.Isolation]Object{config.IsolateByLabel: own, config.IsolateBySelector: users} {
		t.Run(string(isolation), func(t *testing.T) {
			req := request(t, "version:v2")
			req.Rollout.Isolation = isolation
			observed, err := InspectManifests(t.Context(), append(seed(t, "app.yaml"), neighbours...), nil, req)
			require.NoError(t, err)

			got, err := Make("here", &req.Rollout, observed)

			require.NoError(t, err)
			require.Contains(t, got.Objects, frozen)
			require.Contains(t, got.Objects, budget)
			names := map[string]bool{}
			for _, o := range got.Objects {
				names[o.Name] = true
			}
			require.NotContains(t, names, "HorizontalPodAutoscaler/only-up")
			require.Equal(t, budget == own, names[own.Name])
			require.Equal(t, []string{"Deployment/demo", frozen.Name}, got.Stages[0].Operations[0].Objects)
			last := got.Stages[2].Operations
			require.Contains(t, last[len(last)-1].Objects, frozen.Name)
			for _, stage := range got.Stages {
				for _, op := range stage.Operations {
					if op.Kind == plan.EnsureCanary {
						require.Equal(t, budget == own, slices.Contains(op.Objects, own.Name))
					}
				}
			}
		})
	}
}

func TestInspectSaysHowChangesAreConfirmed(t *testing.T) {
	gateways := map[string]gateway.Config{"nginx": {Kind: gateway.KindTraefik, Service: "edge/traefik", APIPort: "api"}}
	req := request(t, "version:v2")
	observed, err := InspectManifests(t.Context(), seed(t, "app.yaml"), gateways, req)
	require.NoError(t, err)
	require.Equal(t, "state: the API of every replica of edge/traefik", observed.Confirm)

	observed, err = InspectManifests(t.Context(), seed(t, "app.yaml"), nil, req)
	require.NoError(t, err)
	require.Equal(t, unknownGateway, observed.Confirm)

	req.Rollout.Traffic.Confirm.Level = config.ConfirmState
	gateways["nginx"] = gateway.Config{Kind: gateway.KindNginx}
	_, err = InspectManifests(t.Context(), seed(t, "app.yaml"), gateways, req)
	require.ErrorContains(t, err, "trafficRoutings[].confirm.level: state: the gateway of class nginx has no state API that the worker knows of")
}

func kinds(s Stage) []plan.Kind {
	var all []plan.Kind
	for _, op := range s.Operations {
		all = append(all, op.Kind)
	}
	return all
}

func TestMakeTellsTheWorldAfterEachOperation(t *testing.T) {
	req := request(t, "version:v2")
	observed := preflight.Observed{Replicas: 4}

	got, err := Make("here", &req.Rollout, observed)

	require.NoError(t, err)
	type world struct{ canary, weight int }
	var worlds []world
	for _, stage := range got.Stages {
		end := stage.Operations[len(stage.Operations)-1]
		worlds = append(worlds, world{end.Canary, end.Weight})
	}
	require.Equal(t, []world{{1, 10}, {2, 30}, {0, 0}}, worlds)
}

func TestManifests(t *testing.T) {
	cases := map[string]struct {
		manifest string
		want     int
		err      string
	}{
		"seed":          {string(seed(t, "app.yaml")), 3 + 1 + 5, ""},
		"other kinds":   {"apiVersion: example.com/v1\nkind: Shop\nmetadata: {name: a}\n", 0, ""},
		"empty":         {"---\n---\n", 0, ""},
		"default size":  {"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n", 1 + 1 + 1, ""},
		"unknown field": {"apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {port: 1}\n", 0, `reading object 1 of the workload file: strict decoding error: unknown field "spec.port"`},
		"a list":        {"apiVersion: v1\nkind: ServiceList\nitems: []\n", 0, "object 1 of the workload file is a ServiceList: write its items one by one"},
		"not YAML":      {"a: [", 0, "reading object 1 of the workload file"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			objects, err := decode([]byte(tc.manifest), "shop")
			if tc.err != "" {
				require.ErrorContains(t, err, tc.err)
				return
			}
			require.NoError(t, err)
			require.Len(t, objects, tc.want)
		})
	}
}

func TestInspectManifestsRefuses(t *testing.T) {
	_, err := InspectManifests(t.Context(), seed(t, "app.yaml"), nil, request(t, "registry.cn-hangzhou.aliyuncs.com/mse-ingress/version:v1"))

	require.ErrorContains(t, err, "the change is what runs already")
	require.NotContains(t, err.Error(), "type: Refused", "the wrapper is Temporal's")
}

func TestHoldText(t *testing.T) {
	require.Equal(t, "30s", holdText(config.Hold{Mode: config.HoldTimed, Duration: config.Duration(30 * time.Second)}))
	require.Equal(t, "none", holdText(config.Hold{Mode: config.HoldNone}))
}
