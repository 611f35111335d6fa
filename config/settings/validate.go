package settings

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"sluice.dev/sluice/config"
)

// complete fills in what depends on other settings and returns everything that
// is wrong, by key.
func (s *Settings) complete() error {
	var errs []error
	wrong := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf(key+": "+format, args...))
	}
	// The name becomes part of a task queue and of workflow IDs.
	if len(validation.IsDNS1123Label(s.Cluster)) > 0 {
		wrong("cluster", "%q is not a name: write lower case letters, digits and -", s.Cluster)
	}
	for _, namespace := range append([]string{s.Namespace}, s.Worker.Namespaces...) {
		if namespace != "" && len(validation.IsDNS1123Label(namespace)) > 0 {
			wrong("namespace", "%q is not a namespace", namespace)
		}
	}
	if s.Kube.QPS <= 0 {
		wrong("kube.qps", "must be more than 0 (found %v)", s.Kube.QPS)
	}
	if s.Kube.Burst < 1 {
		wrong("kube.burst", "must be at least 1 (found %d)", s.Kube.Burst)
	}
	if s.Log.Format != LogText && s.Log.Format != LogJSON {
		wrong("log.format", "unknown format %q: write text or json", s.Log.Format)
	}
	s.Worker.check(wrong)
	s.Watch.complete(wrong)
	if s.Temporal.Address != "" && !isAddress(s.Temporal.Address) {
		wrong("temporal.address", "%q is not an address: write host:port", s.Temporal.Address)
	}
	s.Prometheus.check(wrong)
	s.completeGateways(wrong)
	return errors.Join(errs...)
}

func (w Worker) check(wrong func(key, format string, args ...any)) {
	if w.MetricsAddress != "" && !isAddress(w.MetricsAddress) {
		wrong("worker.metricsAddress", "%q is not an address: write host:port or :port", w.MetricsAddress)
	}
	if w.HealthAddress != "" && !isAddress(w.HealthAddress) {
		wrong("worker.healthAddress", "%q is not an address: write host:port or :port", w.HealthAddress)
	}
	if w.ProfilingAddress != "" && !isAddress(w.ProfilingAddress) {
		wrong("worker.profilingAddress", "%q is not an address: write 127.0.0.1:port", w.ProfilingAddress)
	}
	if w.StopTimeout <= 0 {
		wrong("worker.stopTimeout", "must be longer than no time (found %s): without it, activities are cut off at every restart", w.StopTimeout)
	}
	if w.MaxConcurrentActivities < 1 {
		wrong("worker.maxConcurrentActivities", "must be at least 1 (found %d)", w.MaxConcurrentActivities)
	}
	switch w.Janitor {
	case JanitorOff, JanitorReport, JanitorRepair, JanitorNone:
	default:
		wrong("worker.janitor", "unknown mode %q: write off, report, repair or none", w.Janitor)
	}
	if w.JanitorEvery < time.Second {
		wrong("worker.janitorEvery", "must be at least a second (found %s)", w.JanitorEvery)
	}
	if w.WorkflowCacheSize < 0 {
		wrong("worker.workflowCacheSize", "cannot be negative (found %d)", w.WorkflowCacheSize)
	}
}

func isAddress(text string) bool {
	_, port, err := net.SplitHostPort(text)
	return err == nil && port != ""
}

func (s *Settings) completeGateways(wrong func(key, format string, args ...any)) {
	for _, class := range slices.Sorted(maps.Keys(s.Gateways)) {
		gateway, key := s.Gateways[class], gatewaysKey+"."+class
		if _, known := config.CapabilityOf(class); !known {
			wrong(key, "unknown class of Ingress: known are %s", strings.Join(config.Classes(), ", "))
		}
		for _, problem := range gateway.complete() {
			wrong(key, "%s", problem)
		}
		s.Gateways[class] = gateway
	}
}
