package prom

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"sluice.dev/sluice/config"
)

// Secrets reads the secret texts that a server's description names.
type Secrets func(ctx context.Context, c config.Credential) (string, error)

// Client asks one server. It is safe for use by many goroutines.
type Client struct {
	server config.Prometheus
	api    v1.API
}

// New prepares a client; nothing is asked yet. The error says which secret or
// certificate cannot be read.
func New(ctx context.Context, server config.Prometheus, secrets Secrets) (*Client, error) {
	transport, err := newTransport(ctx, server, secrets)
	if err != nil {
		return nil, fmt.Errorf("preparing the connection to Prometheus %s: %w", server.Name, err)
	}
	made, err := api.NewClient(api.Config{Address: server.Address, RoundTripper: transport})
	if err != nil {
		return nil, fmt.Errorf("preparing the connection to Prometheus %s at %s: %w", server.Name, server.Address, err)
	}
	return &Client{server: server, api: v1.NewAPI(made)}, nil
}

// Failure is why a query has no number.
type Failure struct {
	// Empty says that the server answered, but that there was nothing to measure;
	// otherwise the measurement itself failed.
	Empty  bool
	Reason string
}

// Error returns the reason.
func (f *Failure) Error() string { return f.Reason }

// Broken is the failure of a measurement for which a server could not be asked.
func Broken(server string, err error) *Failure {
	return failed("Prometheus %s: %s", server, explain(err))
}

func empty(format string, args ...any) *Failure {
	return &Failure{Empty: true, Reason: fmt.Sprintf(format, args...)}
}

func failed(format string, args ...any) *Failure {
	return &Failure{Reason: fmt.Sprintf(format, args...)}
}

// noted adds what the server has remarked.
func (f *Failure) noted(note string) *Failure {
	if note != "" {
		f.Reason += "; " + note
	}
	return f
}

// Value returns the one number that a query has at a time, and what the server
// has remarked about the query. Every error but that of ctx is a *Failure. NaN and
// infinities are returned as they are.
func (c *Client) Value(ctx context.Context, query string, at time.Time) (value float64, note string, err error) {
	result, note, err := c.query(ctx, query, at)
	if err != nil {
		return 0, "", err
	}
	value, failure := valueOf(result)
	if failure != nil {
		return 0, "", failure.noted(note)
	}
	return value, note, nil
}

func valueOf(result model.Value) (float64, *Failure) {
	switch v := result.(type) {
	case *model.Scalar:
		return float64(v.Value), nil
	case model.Vector:
		switch {
		case len(v) == 0:
			return 0, empty("no series: nothing was scraped yet, or the query fits no series")
		case len(v) > 1:
			return 0, failed("%d series instead of one (%s, %s, ...): aggregate them with sum()", len(v), v[0].Metric, v[1].Metric)
		case v[0].Histogram != nil:
			return 0, failed("the query gives a native histogram: write histogram_quantile() or histogram_count()")
		}
		return float64(v[0].Value), nil
	}
	return 0, failed("the query gives a %s instead of a number", result.Type())
}

// query asks within the server's timeout. The note is what the server has remarked
// about the query. An answer that may lack data is a failure.
func (c *Client) query(ctx context.Context, query string, at time.Time) (result model.Value, note string, err error) {
	limited, cancel := context.WithTimeout(ctx, c.server.Timeout.Std())
	defer cancel()
	result, warnings, _, err := c.api.Query(limited, query, at, v1.WithTimeout(c.server.Timeout.Std()))
	switch {
	case err == nil:
		note, partial := sift(warnings)
		if partial != "" {
			return nil, "", failed("Prometheus %s: the answer may lack data: %s", c.server.Name, partial)
		}
		return result, note, nil
	case ctx.Err() != nil:
		return nil, "", ctx.Err()
	case limited.Err() != nil:
		return nil, "", failed("Prometheus %s has not answered within %s", c.server.Name, c.server.Timeout)
	}
	return nil, "", Broken(c.server.Name, err)
}

// sift parts what the server has remarked about the query from warnings that do
// not come from its evaluation: that a store or a remote Prometheus, of a Thanos
// for example, has not answered.
func sift(warnings v1.Warnings) (note, partial string) {
	var notes, others []string
	for _, w := range warnings {
		if strings.HasPrefix(w, "PromQL ") || strings.HasSuffix(w, "annotations omitted") {
			notes = append(notes, w)
		} else {
			others = append(others, w)
		}
	}
	return shorten(strings.Join(notes, "; ")), shorten(strings.Join(others, "; "))
}

// explain says in one line what was wrong with an answer.
func explain(err error) string {
	var large *tooLarge
	var answer *v1.Error
	var connection *net.OpError
	var status *badStatus
	var other *elsewhere
	var unread interface {
		error
		Message() string
	}
	switch {
	case errors.Is(err, errPartial):
		return errPartial.Error()
	case errors.As(err, &large):
		return large.Error()
	case errors.As(err, &status):
		return status.Error()
	case errors.As(err, &other):
		return other.Error()
	case errors.As(err, &unread):
		return unread.Message() // a credential that Kubernetes does not give
	case errors.As(err, &answer):
		return fmt.Sprintf("%s: %s", answer.Type, shorten(answer.Msg))
	case errors.As(err, &connection):
		return "no connection: " + connection.Err.Error()
	}
	return shorten(err.Error())
}

// shorten keeps a message readable; some proxies answer with pages.
func shorten(text string) string {
	const longest = 200
	if len(text) > longest {
		return text[:longest] + "..."
	}
	return text
}

// tooLarge is an answer that is longer than is read.
type tooLarge struct{ limit int64 }

// Error names the limit.
func (e *tooLarge) Error() string {
	return fmt.Sprintf("the answer is longer than %d bytes: aggregate the query, or raise maxBytes", e.limit)
}

// badStatus is an answer that is no answer of Prometheus' API.
type badStatus struct{ status, retry string }

// Error names the status.
func (e *badStatus) Error() string {
	text := "answered " + e.status
	if e.retry != "" {
		text += ", retry after " + e.retry
	}
	return text
}

// elsewhere is a redirect to another server.
type elsewhere struct{ to string }

// Error names the server.
func (e *elsewhere) Error() string {
	return fmt.Sprintf("redirects to %s, which is not asked: write the address that answers", e.to)
}

// bounded is a body that fails when it is longer than allowed.
type bounded struct {
	io.ReadCloser
	left, limit int64
}

// Read reads until the limit is passed.
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, &tooLarge{limit: b.limit}
	}
	return n, err
}

// refuses says that an answer is not worth reading: a server, or a proxy before
// it, that turns requests away. 403, 405 and 501 are read: they may only mean that
// the server wants GET instead of POST.
func refuses(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusUnauthorized ||
		status >= 500 && status != http.StatusNotImplemented
}
