package deploy_test

import (
	"net"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"sluice.dev/sluice/config/settings"
)

// documents are the objects of a manifest, by kind; each kind occurs once.
func documents(t *testing.T, path string) map[string][]byte {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	byKind := map[string][]byte{}
	for _, document := range strings.Split(string(text), "\n---\n") {
		var meta metav1.TypeMeta
		require.NoError(t, yaml.Unmarshal([]byte(document), &meta))
		byKind[meta.Kind] = []byte(document)
	}
	return byKind
}

// strict reads an object; a field that the API does not know fails.
func strict(t *testing.T, document []byte, into any) {
	t.Helper()
	require.NotEmpty(t, document)
	require.NoError(t, yaml.UnmarshalStrict(document, into))
}

// program is what one of our programs needs of its manifest.
type program struct {
	name  string
	flags func(*pflag.FlagSet)
	// args are those of the container without the name of the command.
	args func([]string) []string
	// ports of the settings, by the name of the container's port.
	ports func(settings.Settings) map[string]string
}

var programs = []program{
	{
		name: "watch", flags: settings.AddWatchFlags,
		args: func(args []string) []string { return args[1:] },
		ports: func(s settings.Settings) map[string]string {
			return map[string]string{"webhook": s.Watch.WebhookAddress, "metrics": s.Watch.MetricsAddress}
		},
	},
	{
		name: "worker", flags: settings.AddWorkerFlags,
		args: func(args []string) []string { return args },
		ports: func(s settings.Settings) map[string]string {
			return map[string]string{"health": s.Worker.HealthAddress, "metrics": s.Worker.MetricsAddress}
		},
	},
}

// loaded returns the settings of a container.
func (p program) loaded(t *testing.T, c corev1.Container) settings.Settings {
	t.Helper()
	flags := pflag.NewFlagSet(p.name, pflag.ContinueOnError)
	settings.AddFlags(flags)
	p.flags(flags)
	require.NoError(t, flags.Parse(p.args(c.Args)))
	require.Empty(t, flags.Args())
	s, err := settings.Load(flags)
	require.NoError(t, err)
	return s
}

func TestManifestsFitThePrograms(t *testing.T) {
	for _, p := range programs {
		t.Run(p.name, func(t *testing.T) {
			have := documents(t, p.name+".yaml")
			var d appsv1.Deployment
			strict(t, have["Deployment"], &d)
			var account corev1.ServiceAccount
			strict(t, documents(t, "rbac/"+p.name+".yaml")["ServiceAccount"], &account)
			pod := d.Spec.Template.Spec
			require.Equal(t, account.Name, pod.ServiceAccountName)
			require.Equal(t, account.Namespace, d.Namespace)
			require.Equal(t, int32(2), *d.Spec.Replicas)
			require.Equal(t, d.Spec.Selector.MatchLabels, d.Spec.Template.Labels)

			require.Len(t, pod.Containers, 1)
			c := pod.Containers[0]
			require.Equal(t, "IMAGE", c.Image, "a placeholder")
			s := p.loaded(t, c)
			ports := map[string]string{}
			for _, port := range c.Ports {
				ports[port.Name] = net.JoinHostPort("", strconv.Itoa(int(port.ContainerPort)))
			}
			require.Equal(t, p.ports(s), ports)
			require.Equal(t, "/healthz", c.LivenessProbe.HTTPGet.Path)
			require.Equal(t, "/readyz", c.ReadinessProbe.HTTPGet.Path)
			for _, probe := range []*corev1.Probe{c.LivenessProbe, c.ReadinessProbe} {
				require.Contains(t, ports, probe.HTTPGet.Port.StrVal)
				require.NotEqual(t, "webhook", probe.HTTPGet.Port.StrVal)
			}

			var budget policyv1.PodDisruptionBudget
			strict(t, have["PodDisruptionBudget"], &budget)
			require.Equal(t, d.Namespace, budget.Namespace)
			require.Equal(t, d.Spec.Selector, budget.Spec.Selector)
			require.Equal(t, 1, budget.Spec.MinAvailable.IntValue())
		})
	}
}

// TestServiceLeadsToTheWebhook compares the Service with where the watcher tells
// the API server to look.
func TestServiceLeadsToTheWebhook(t *testing.T) {
	have := documents(t, "watch.yaml")
	var d appsv1.Deployment
	strict(t, have["Deployment"], &d)
	s := programs[0].loaded(t, d.Spec.Template.Spec.Containers[0])
	var service corev1.Service
	strict(t, have["Service"], &service)
	require.Equal(t, s.Watch.WebhookService, service.Name)
	require.Equal(t, s.Watch.Home, service.Namespace)
	require.Equal(t, d.Spec.Template.Labels, service.Spec.Selector)
	require.Len(t, service.Spec.Ports, 1)
	require.Equal(t, int32(443), service.Spec.Ports[0].Port)
	require.Equal(t, "webhook", service.Spec.Ports[0].TargetPort.StrVal)
}

// TestImageHasBothPrograms looks for the commands of the manifests in the image.
func TestImageHasBothPrograms(t *testing.T) {
	text, err := os.ReadFile("Dockerfile")
	require.NoError(t, err)
	for _, p := range programs {
		var d appsv1.Deployment
		strict(t, documents(t, p.name+".yaml")["Deployment"], &d)
		require.Contains(t, string(text), "-o /out/"+d.Spec.Template.Spec.Containers[0].Command[0]+" ")
	}
}
