package standin

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
)

// page collects samples by family, because all samples of one have to stand
// together.
type page struct {
	order    []string
	families map[string][]string
	sums     map[string]float64
}

func newPage() *page {
	return &page{families: map[string][]string{}, sums: map[string]float64{}}
}

// add adds a value to a series, which is there once however often it is added to.
func (p *page) add(family, kind, suffix, labels string, value float64) {
	head := family + " " + kind
	if !slices.Contains(p.order, head) {
		p.order = append(p.order, head)
	}
	id := family + suffix + "{" + labels + "}"
	if _, known := p.sums[id]; !known {
		p.families[head] = append(p.families[head], id)
	}
	p.sums[id] += value
}

// histogram adds a histogram whose bounds are multiplied, for another unit.
func (p *page) histogram(family, labels string, h *dto.Histogram, unit float64) {
	if h == nil {
		return
	}
	infinite := false
	for _, b := range h.GetBucket() {
		le := fmt.Sprintf("%g", b.GetUpperBound()*unit)
		if math.IsInf(b.GetUpperBound(), 1) {
			le, infinite = "+Inf", true
		}
		p.add(family, "histogram", "_bucket", labels+`,le="`+le+`"`, float64(b.GetCumulativeCount()))
	}
	if !infinite {
		p.add(family, "histogram", "_bucket", labels+`,le="+Inf"`, float64(h.GetSampleCount()))
	}
	p.add(family, "histogram", "_sum", labels, h.GetSampleSum()*unit)
	p.add(family, "histogram", "_count", labels, float64(h.GetSampleCount()))
}

// write writes the page in Prometheus' text format.
func (p *page) write(w io.Writer) error {
	var b strings.Builder
	for _, head := range p.order {
		fmt.Fprintf(&b, "# TYPE %s\n", head)
		for _, id := range p.families[head] {
			fmt.Fprintf(&b, "%s %v\n", id, p.sums[id])
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// labels joins names and values, given in turn.
func labels(pairs ...string) string {
	parts := make([]string, 0, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		parts = append(parts, fmt.Sprintf("%s=%q", pairs[i], pairs[i+1]))
	}
	return strings.Join(parts, ",")
}
