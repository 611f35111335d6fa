package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	netv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	fakegateway "sluice.dev/sluice/tests/chaos/gateway"
	"sluice.dev/sluice/tests/chaos/oracle"
	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/tests/sandbox/load"
)

// arrangement is what a gateway is shown: which pods are behind either side, how
// they are, and the annotations of the canary Ingress.
type arrangement struct {
	stable, canary condition
	notes          map[string]string
	// android sends the header that seeds' matches are about; sends another one, as
	// name=value.
	android bool
	sends   string
}

// by are annotations of a canary Ingress, in pairs of the end of a name and its
// value.
func by(pairs ...string) map[string]string {
	const prefix = "nginx.ingress.kubernetes.io/canary"
	notes := map[string]string{prefix: "true"}
	for i := 0; i < len(pairs); i += 2 {
		notes[prefix+pairs[i]] = pairs[i+1]
	}
	return notes
}

// header is what a request has, as name=value; empty is nothing special.
func (a arrangement) header() string {
	if a.android {
		return "User-Agent=android"
	}
	return a.sends
}

// condition of the endpoints of one side.
type condition int

const (
	ready condition = iota
	terminating
	absent
)

// arrangements that every gateway can be shown.
var arrangements = map[string]arrangement{
	"weight 30":                     {notes: by("-weight", "30")},
	"weight 5":                      {notes: by("-weight", "5")},
	"weight 0":                      {notes: by("-weight", "0")},
	"weight 100":                    {notes: by("-weight", "100")},
	"canary empty":                  {notes: by("-weight", "20"), canary: absent},
	"canary terminating":            {notes: by("-weight", "20"), canary: terminating},
	"canary terminating, weight 0":  {notes: by("-weight", "0"), canary: terminating},
	"stable empty, weight 100":      {notes: by("-weight", "100"), stable: absent},
	"stable empty, weight 30":       {notes: by("-weight", "30"), stable: absent},
	"stable terminating, weight 30": {notes: by("-weight", "30"), stable: terminating},
	"all terminating":               {notes: by("-weight", "30"), stable: terminating, canary: terminating},
	"header that fits":              {notes: by("-by-header", "user-agent", "-by-header-value", "android", "-weight", "0"), android: true},
	"header that does not fit":      {notes: by("-by-header", "user-agent", "-by-header-value", "android", "-weight", "0")},
	"header, canary terminating":    {notes: by("-by-header", "user-agent", "-by-header-value", "android", "-weight", "0"), android: true, canary: terminating},
}

// TestFakeGatewayAgreesWithTraefik shows the same objects to the real gateway and
// to the one of tests/chaos, and compares what becomes of the same requests.
func TestFakeGatewayAgreesWithTraefik(t *testing.T) {
	stage := newStage(t)
	stage.agree(t, arrangements)
	stage.agree(t, map[string]arrangement{
		"pattern that fits":         {notes: by("-by-header", "x-track", "-by-header-pattern", "be.a$", "-weight", "0"), sends: "X-Track=a beta"},
		"pattern that does not fit": {notes: by("-by-header", "x-track", "-by-header-pattern", "^be.a", "-weight", "100"), sends: "X-Track=a beta", stable: absent},
		"cookie":                    {notes: by("-by-cookie", "beta", "-weight", "0"), sends: "Cookie=a=b; beta=always"},
		"never by header":           {notes: by("-by-header", "x-track", "-weight", "50"), sends: "X-Track=never"},
		"never by cookie":           {notes: by("-by-cookie", "beta", "-weight", "50"), sends: "Cookie=beta=never"},
	})
}

// agree shows arrangements to both gateways, one after the other.
func (s *stage) agree(t *testing.T, arrangements map[string]arrangement) {
	for name, a := range arrangements {
		t.Run(name, func(t *testing.T) {
			s.t = t
			s.show(a)
			shown, want := time.Now(), s.fake(a)
			// The real one takes changes with its lag: what it does in the end counts, and
			// not what it did before, which may be the same.
			err := harness.Await(s.ctx, "Traefik does as the fake one", func(context.Context) (bool, error) {
				if time.Since(shown) < taken {
					return false, nil
				}
				got := s.real(a)
				if got != want {
					return false, fmt.Errorf("Traefik: %+v, the fake one: %+v", got, want)
				}
				return true, nil
			})
			require.NoError(t, err)
		})
	}
}

// taken is when Traefik has usually taken a change: it holds them back for 2 s.
const taken = 2500 * time.Millisecond

// asked is how many requests are compared: a multiple of what every weight here
// needs to come out even, to each of the gateway's replicas.
const asked = 100

// fate is what became of the requests: by version, and those that were lost.
type fate struct{ V1, V2, Lost int64 }

// stage is a namespace with the pods of both versions and hand-made endpoints.
type stage struct {
	*harness.Bed
	t         *testing.T
	ctx       context.Context
	namespace string
	v1, v2    []string
	ingress   *netv1.Ingress
	// personality is what the fake gateway plays, and door the address of the real
	// one that is compared with it.
	personality fakegateway.Personality
	door        string
}

// newStage deploys what a stage needs.
func newStage(t *testing.T) *stage {
	t.Helper()
	b := start(t)
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	namespace := namespaceOf(t)
	require.NoError(t, b.DeployDemo(ctx, namespace))
	t.Cleanup(func() { require.NoError(t, b.RemoveDemo(context.Background(), namespace)) })
	s := &stage{t: t, ctx: ctx, Bed: b, namespace: namespace, personality: fakegateway.Traefik, door: b.Sandbox.State().Gateways[0]}
	s.prepare()
	return s
}

// prepare runs one pod of each version more, and takes the endpoints of the
// Service into its own hands.
func (s *stage) prepare() {
	services := s.Kube.CoreV1().Services(s.namespace)
	require.NoError(s.t, services.Delete(s.ctx, harness.Demo, metav1.DeleteOptions{}))
	s.v1 = s.podsOf(harness.Demo, "v1")
	d, err := s.Deployment(s.ctx, s.namespace)
	require.NoError(s.t, err)
	other := d.DeepCopy()
	other.ObjectMeta = metav1.ObjectMeta{Name: "other", Namespace: s.namespace}
	other.Spec.Template.Spec.Containers[0].Image = harness.Image("v2")
	other.Spec.Selector.MatchLabels, other.Spec.Template.Labels = map[string]string{"app": "other"}, map[string]string{"app": "other"}
	other.Spec.Replicas = new(int32(2))
	_, err = s.Kube.AppsV1().Deployments(s.namespace).Create(s.ctx, other, metav1.CreateOptions{})
	require.NoError(s.t, err)
	require.NoError(s.t, s.Sandbox.AwaitDeployment(s.ctx, s.namespace, "other"))
	s.v2 = s.podsOf("other", "v2")
	s.ingress, err = s.Kube.NetworkingV1().Ingresses(s.namespace).Get(s.ctx, harness.Demo, metav1.GetOptions{})
	require.NoError(s.t, err)
	for _, name := range []string{harness.Demo, harness.Demo + "-canary"} {
		_, err := services.Create(s.ctx, &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: s.namespace},
			Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "http", Port: 80}}},
		}, metav1.CreateOptions{})
		require.NoError(s.t, err)
	}
}

func (s *stage) podsOf(app, version string) []string {
	pods, err := s.Kube.CoreV1().Pods(s.namespace).List(s.ctx, metav1.ListOptions{LabelSelector: "app=" + app})
	require.NoError(s.t, err)
	var ips []string
	for _, p := range pods.Items {
		ips = append(ips, p.Status.PodIP)
	}
	require.NotEmpty(s.t, ips, version)
	return ips
}

// objects are the slices and the canary Ingress of an arrangement.
func (s *stage) objects(a arrangement) (slices [2]*discoveryv1.EndpointSlice, canary *netv1.Ingress) {
	canary = s.ingress.DeepCopy()
	canary.ObjectMeta = metav1.ObjectMeta{Name: harness.Demo + "-canary", Namespace: s.namespace, Annotations: map[string]string{}}
	for k, v := range s.ingress.Annotations {
		canary.Annotations[k] = v
	}
	for k, v := range a.notes {
		canary.Annotations[k] = v
	}
	canary.Spec.Rules[0].HTTP.Paths[0].Backend.Service.Name = harness.Demo + "-canary"
	return [2]*discoveryv1.EndpointSlice{s.slice(harness.Demo, s.v1, a.stable), s.slice(harness.Demo+"-canary", s.v2, a.canary)}, canary
}

func (s *stage) slice(service string, ips []string, c condition) *discoveryv1.EndpointSlice {
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: service + "-hand", Namespace: s.namespace, Labels: map[string]string{discoveryv1.LabelServiceName: service}},
		AddressType: discoveryv1.AddressTypeIPv4, Ports: []discoveryv1.EndpointPort{{Name: new("http"), Port: new(int32(8080))}},
	}
	for _, ip := range ips {
		if c != absent {
			slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{Addresses: []string{ip}, Conditions: discoveryv1.EndpointConditions{
				Ready: new(c == ready), Serving: new(true), Terminating: new(c == terminating),
			}})
		}
	}
	return slice
}

// show writes an arrangement to the API server.
func (s *stage) show(a arrangement) {
	hand, canary := s.objects(a)
	published := s.Kube.DiscoveryV1().EndpointSlices(s.namespace)
	for _, slice := range hand {
		if _, err := published.Update(s.ctx, slice, metav1.UpdateOptions{}); err != nil {
			_, err = published.Create(s.ctx, slice, metav1.CreateOptions{})
			require.NoError(s.t, err)
		}
	}
	if s.personality == fakegateway.GatewayAPI {
		require.NoError(s.t, s.Sandbox.Apply(s.ctx, s.namespace, []byte(httpRoute(a))))
		return
	}
	ingresses := s.Kube.NetworkingV1().Ingresses(s.namespace)
	if _, err := ingresses.Update(s.ctx, canary, metav1.UpdateOptions{}); err != nil {
		_, err = ingresses.Create(s.ctx, canary, metav1.CreateOptions{})
		require.NoError(s.t, err)
	}
}

// fake asks the gateway in memory.
func (s *stage) fake(a arrangement) fate {
	g := fakegateway.New("fake", "", s.personality, fakegateway.Lag{})
	changed := make(chan struct{}, 4)
	g.OnChange(func() { changed <- struct{}{} })
	hand, canary := s.objects(a)
	g.See(watch.Added, s.ingress)
	g.See(watch.Added, canary)
	g.See(watch.Added, hand[0])
	g.See(watch.Added, hand[1])
	for range 4 {
		<-changed
	}
	r := oracle.Request{Path: harness.Path, Header: http.Header{}}
	if name, value, ok := strings.Cut(a.header(), "="); ok {
		r.Header.Set(name, value)
	}
	var f fate
	for range asked {
		switch answer := g.Ask(r); {
		case answer.Lost != "":
			f.Lost++
		case slices.Contains(s.v2, answer.Pod):
			f.V2++
		default:
			f.V1++
		}
	}
	return f
}

// real asks one replica of Traefik.
func (s *stage) real(a arrangement) fate {
	cohort := harness.Everyone
	if header := a.header(); header != "" {
		cohort = "some:" + header
	}
	out, err := s.Sandbox.Command(s.ctx, s.Programs.Load, "--url", "http://"+s.door+harness.Path, "--cohort", cohort,
		"--requests", fmt.Sprint(asked), "--duration", "20s", "--clients", "1", "--rate", "400", "--post", "0", "-o", "json").Output()
	var report load.Report
	if json.Unmarshal(out, &report) != nil {
		require.NoError(s.t, err)
	}
	time.Sleep(100 * time.Millisecond)
	w := report.Whole
	return fate{V1: w.Versions["v1"], V2: w.Versions["v2"], Lost: w.Lost()}
}
