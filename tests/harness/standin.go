package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"sluice.dev/sluice/tests/sandbox"
	"sluice.dev/sluice/tests/sandbox/build"
	"sluice.dev/sluice/tests/sandbox/certs"
	"sluice.dev/sluice/tests/sandbox/standin"
)

// Addresses inside of what stands in for other gateways and servers.
const (
	standInMetrics = "192.0.2.60:9100"
	// GuardURL is Prometheus behind TLS and credentials.
	GuardURL  = "https://192.0.2.61:9443"
	guardIP   = "192.0.2.61"
	guardPort = "9443"
)

// StandIn shows what the gateway has counted under other names, and guards
// Prometheus. See package standin.
type StandIn struct {
	// CA signed the certificate of the guard, as PEM.
	CA []byte

	cmd   *sandbox.Cmd
	files []string
}

// StartStandIn builds and starts it for the seed's application in a namespace.
func (b *Bed) StartStandIn(ctx context.Context, namespace string, credentials standin.Credentials) (*StandIn, error) {
	program, err := buildStandIn(ctx)
	if err != nil {
		return nil, err
	}
	dir := b.Sandbox.Dir().Join("standin")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("creating the folder of the guard's certificate: %w", err)
	}
	authority, err := certs.Open(dir)
	if err != nil {
		return nil, err
	}
	pair, err := authority.Server("prometheus", guardIP)
	if err != nil {
		return nil, err
	}
	settings := standin.Settings{
		App:            standin.App{Namespace: namespace, Ingress: Demo, Service: Demo},
		MetricsAddress: standInMetrics, GuardAddress: guardIP + ":" + guardPort, Backend: b.Sandbox.State().Inside.PrometheusURL,
		CertFile: filepath.Join(dir, "tls.crt"), KeyFile: filepath.Join(dir, "tls.key"), Credentials: credentials,
	}
	if err := pair.Write(settings.CertFile, settings.KeyFile); err != nil {
		return nil, err
	}
	for _, gateway := range b.Sandbox.State().Gateways {
		settings.Gateways = append(settings.Gateways, "http://"+gateway+":8080/metrics")
	}
	text, err := json.Marshal(settings)
	if err != nil {
		return nil, fmt.Errorf("encoding the settings: %w", err)
	}
	var out locked
	s := &StandIn{CA: authority.PEM, cmd: b.Sandbox.Command(context.WithoutCancel(ctx), program)}
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = bytes.NewReader(text), &out, &out
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting sluice-standin: %w", err)
	}
	return s, Await(ctx, "the stand-in serves", func(context.Context) (bool, error) {
		select {
		case <-s.cmd.Ended():
			return false, fmt.Errorf("it ended: %s", out.String())
		default:
			return bytes.Contains([]byte(out.String()), []byte(standin.Serving)), nil
		}
	})
}

func buildStandIn(ctx context.Context) (string, error) {
	tests, err := sandbox.Root()
	if err != nil {
		return "", err
	}
	cache, err := build.CacheDir()
	if err != nil {
		return "", err
	}
	builder := build.Builder{Cache: cache, Progress: build.Progress{Out: os.Stderr}}
	const name = "sluice-standin"
	paths, err := builder.All(ctx, []build.Target{{
		Name: name, Dir: tests, Package: "./sandbox/cmd/" + name, Sources: []string{"sandbox/standin", "sandbox/cmd/" + name},
	}})
	if err != nil {
		return "", fmt.Errorf("building %s: %w", name, err)
	}
	return paths[name], nil
}

// Target is something that Prometheus reads, with labels; __metrics_path__ is
// its path.
type Target struct {
	Targets []string          `json:"targets"`
	Labels  map[string]string `json:"labels"`
}

// Scrape adds targets to Prometheus, under a name. Those that are honoured keep
// their own labels.
func (s *StandIn) Scrape(b *Bed, name string, honoured bool, targets ...Target) error {
	text, err := json.Marshal(targets)
	if err != nil {
		return fmt.Errorf("encoding targets: %w", err)
	}
	path := filepath.Join(b.Sandbox.Dir().Targets(honoured), name+".json")
	// Prometheus must not see half of a file.
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return fmt.Errorf("adding targets: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("adding targets: %w", err)
	}
	s.files = append(s.files, path)
	return nil
}

// ScrapeNames lets Prometheus read everything under all names, with the labels
// that a pod of each gateway would have, behind the Service that a ServiceMonitor
// names.
func (s *StandIn) ScrapeNames(b *Bed) error {
	var gateways []Target
	page := func(path, namespace, service, pod string) Target {
		return Target{Targets: []string{standInMetrics}, Labels: map[string]string{
			"__metrics_path__": path, "namespace": namespace, "service": service, "pod": pod,
		}}
	}
	for i := range b.Sandbox.State().Gateways {
		gateways = append(gateways,
			page(fmt.Sprintf("/nginx/%d", i), "ingress-nginx", "ingress-nginx-controller-metrics", fmt.Sprintf("ingress-nginx-controller-%d", i)),
			page(fmt.Sprintf("/envoy/%d", i), "higress-system", "higress-gateway", fmt.Sprintf("higress-gateway-%d", i)),
			page(fmt.Sprintf("/envoy-own/%d", i), "envoy", "envoy", fmt.Sprintf("envoy-%d", i)))
	}
	return errors.Join(s.Scrape(b, "gateways", false, gateways...),
		s.Scrape(b, "kube", true, Target{Targets: []string{standInMetrics}, Labels: map[string]string{"__metrics_path__": "/kube"}}))
}

// Stop ends it, and what Prometheus reads of it.
func (s *StandIn) Stop() error {
	var errs []error
	for _, file := range s.files {
		errs = append(errs, os.Remove(file))
	}
	if err := s.cmd.Kill(); err != nil {
		errs = append(errs, fmt.Errorf("ending sluice-standin: %w", err))
	}
	<-s.cmd.Ended()
	return errors.Join(errs...)
}

// locked is a text that is written while it is read.
type locked struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write adds to the text.
func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String returns the text so far.
func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
