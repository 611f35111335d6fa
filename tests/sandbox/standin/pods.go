package standin

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// usage of a container's process.
type usage struct {
	// seconds of CPU time, and bytes of memory that is in use.
	seconds, bytes float64
}

// ticks of the kernel's clock in a second, in what it tells of processes.
const ticks = 100

// usages reads what the processes of pods use, by the name of the pod: a
// container of the sandbox is a process that is told its pod's name and address.
func usages(proc string) (map[string]usage, error) {
	processes, err := filepath.Glob(filepath.Join(proc, "[0-9]*"))
	if err != nil {
		return nil, fmt.Errorf("listing processes: %w", err)
	}
	all := map[string]usage{}
	for _, dir := range processes {
		environ, err := os.ReadFile(filepath.Join(dir, "environ"))
		if err != nil || !bytes.Contains(environ, []byte("\x00POD_IP=")) {
			continue // it has ended, or is no pod's
		}
		for variable := range bytes.SplitSeq(environ, []byte{0}) {
			if name, ok := bytes.CutPrefix(variable, []byte("HOSTNAME=")); ok {
				all[string(name)] = usageOf(dir)
			}
		}
	}
	return all, nil
}

// usageOf reads one process; zeros where it has just ended.
func usageOf(dir string) usage {
	var u usage
	if text, err := os.ReadFile(filepath.Join(dir, "stat")); err == nil {
		// The name, in brackets, may have spaces.
		if fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:])); len(fields) > 12 {
			user, _ := strconv.ParseFloat(fields[11], 64)
			system, _ := strconv.ParseFloat(fields[12], 64)
			u.seconds = (user + system) / ticks
		}
	}
	if text, err := os.ReadFile(filepath.Join(dir, "statm")); err == nil {
		if fields := strings.Fields(string(text)); len(fields) > 1 {
			pages, _ := strconv.ParseFloat(fields[1], 64)
			u.bytes = pages * float64(os.Getpagesize())
		}
	}
	return u
}

// kube names what pods use as cAdvisor does, and their limits and restarts as
// kube-state-metrics does.
func (a App) kube(ctx context.Context, client kubernetes.Interface, used map[string]usage) (*page, error) {
	pods, err := client.CoreV1().Pods(a.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing pods: %w", err)
	}
	p := newPage()
	for _, pod := range pods.Items {
		for _, c := range pod.Spec.Containers {
			set := labels("container", c.Name, "namespace", pod.Namespace, "pod", pod.Name)
			if u, ok := used[pod.Name]; ok {
				p.add("container_cpu_usage_seconds_total", "counter", "", `cpu="total",`+set, u.seconds)
				p.add("container_memory_working_set_bytes", "gauge", "", set, u.bytes)
			}
			limit(p, set, "cpu", "core", c.Resources.Limits)
			limit(p, set, "memory", "byte", c.Resources.Limits)
		}
		for _, s := range pod.Status.ContainerStatuses {
			set := labels("container", s.Name, "namespace", pod.Namespace, "pod", pod.Name)
			p.add("kube_pod_container_status_restarts_total", "counter", "", set, float64(s.RestartCount))
		}
	}
	return p, nil
}

func limit(p *page, set, resource, unit string, limits corev1.ResourceList) {
	if quantity, ok := limits[corev1.ResourceName(resource)]; ok {
		p.add("kube_pod_container_resource_limits", "gauge", "", labels("resource", resource, "unit", unit)+","+set, quantity.AsApproximateFloat64())
	}
}
