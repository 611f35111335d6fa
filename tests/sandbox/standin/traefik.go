package standin

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// App is what was asked for at the gateway, by the names of its objects.
type App struct {
	Namespace, Ingress, Service string
}

// series are the requests to one side with one method and one status.
type series struct {
	canary               bool
	port, method, status string
	requests             float64
	took                 *dto.Histogram
}

// The families of Traefik that are read.
const (
	traefikRequests = "traefik_service_requests_total"
	traefikSeconds  = "traefik_service_request_duration_seconds"
)

// ask returns what a replica of Traefik has counted for the application.
func (a App) ask(ctx context.Context, url string) ([]series, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("asking the gateway: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("asking the gateway: %w", err)
	}
	defer response.Body.Close() //nolint:errcheck // only read
	return a.read(response.Body)
}

// read reads the text that a replica of Traefik serves.
func (a App) read(text io.Reader) ([]series, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(text)
	if err != nil {
		return nil, fmt.Errorf("reading the metrics of the gateway: %w", err)
	}
	// Names of services are namespace, Ingress, Service and port, all joined by
	// dashes, and a suffix for canary.
	name := regexp.MustCompile("^" + regexp.QuoteMeta(strings.Join([]string{a.Namespace, a.Ingress, a.Service}, "-")) + "-([0-9a-z]+)(-canary)?@")
	var all []series
	found := map[string]int{}
	for _, family := range []string{traefikRequests, traefikSeconds} {
		for _, m := range families[family].GetMetric() {
			labels := labelsOf(m)
			parts := name.FindStringSubmatch(labels["service"])
			if parts == nil {
				continue
			}
			key := labels["service"] + " " + labels["method"] + " " + labels["code"] + " " + labels["protocol"]
			i, ok := found[key]
			if !ok {
				i = len(all)
				found[key] = i
				all = append(all, series{canary: parts[2] != "", port: parts[1], method: labels["method"], status: labels["code"]})
			}
			if m.GetHistogram() != nil {
				all[i].took = m.GetHistogram()
			} else {
				all[i].requests = m.GetCounter().GetValue()
			}
		}
	}
	return all, nil
}

func labelsOf(m *dto.Metric) map[string]string {
	labels := map[string]string{}
	for _, pair := range m.GetLabel() {
		labels[pair.GetName()] = pair.GetValue()
	}
	return labels
}
