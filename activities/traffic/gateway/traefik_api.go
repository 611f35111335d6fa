package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// maxAnswer bounds what is read of one answer: a service with thousands of
// servers is well below it.
const maxAnswer = 2 << 20

// askTimeout bounds one question to one replica.
const askTimeout = 2 * time.Second

// errAbsent says that the gateway does not know what it was asked for.
var errAbsent = errors.New("not found")

// traefikService is the part that matters of what Traefik tells of a service.
type traefikService struct {
	Weighted     *traefikWeighted `json:"weighted"`
	LoadBalancer *traefikBalancer `json:"loadBalancer"`
}

type traefikWeighted struct {
	Services []struct {
		Name   string `json:"name"`
		Weight *int   `json:"weight"`
	} `json:"services"`
}

type traefikBalancer struct {
	Servers []struct {
		URL string `json:"url"`
		// Fenced servers are terminating and get no new requests.
		Fenced bool `json:"fenced"`
	} `json:"servers"`
}

// weight returns the weight of a child; an absent one means 1.
func (w *traefikWeighted) weight(name string) (int, bool) {
	for _, service := range w.Services {
		if plain, _, _ := strings.Cut(service.Name, "@"); plain == name {
			if service.Weight == nil {
				return 1, true
			}
			return *service.Weight, true
		}
	}
	return 0, false
}

// open returns the servers that get new requests.
func (b *traefikBalancer) open() servers {
	out := servers{}
	for _, server := range b.Servers {
		if parsed, err := url.Parse(server.URL); err == nil && !server.Fenced {
			out[parsed.Host] = struct{}{}
		}
	}
	return out
}

// traefikRouter is the part that matters of what Traefik tells of a router.
type traefikRouter struct {
	Rule   string   `json:"rule"`
	Status string   `json:"status"`
	Errors []string `json:"error"`
}

// traefikAPI asks one replica of Traefik.
type traefikAPI struct {
	client  *http.Client
	address string
}

func (a traefikAPI) service(ctx context.Context, name string) (traefikService, error) {
	var out traefikService
	return out, a.get(ctx, "services", name, &out)
}

func (a traefikAPI) router(ctx context.Context, name string) (traefikRouter, error) {
	var out traefikRouter
	return out, a.get(ctx, "routers", name, &out)
}

// get reads one object; errAbsent if Traefik does not know it.
func (a traefikAPI) get(ctx context.Context, kind, name string, out any) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	path := fmt.Sprintf("/api/http/%s/%s@%s", kind, url.PathEscape(name), traefikProvider)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+a.address+path, nil)
	if err != nil {
		return fmt.Errorf("cannot be asked: %w", err)
	}
	answer, err := a.client.Do(request)
	if err != nil {
		return unreachable(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return unreachable(err)
	}
	return decode(answer, body, path, out)
}

// decode reads an answer. It tells the API's own "not found" from that of a
// server that is not the API: taking the latter for an absent route would be a
// false proof.
func decode(answer *http.Response, body []byte, path string, out any) error {
	var refusal struct {
		Message string `json:"message"`
	}
	switch {
	case answer.StatusCode == http.StatusOK:
		if err := json.Unmarshal(body, out); err != nil {
			return fmt.Errorf("answers GET %s with something that is not of Traefik's API: %w", path, err)
		}
		return nil
	case answer.StatusCode != http.StatusNotFound:
		return fmt.Errorf("answers GET %s with %s", path, answer.Status)
	case json.Unmarshal(body, &refusal) == nil && strings.Contains(refusal.Message, "not found"):
		return errAbsent
	default:
		return errors.New("has no Traefik API there: check apiPort, and that the API is open to the worker on it")
	}
}

// unreachable says in short why a replica gave no answer.
func unreachable(err error) error {
	var timeout net.Error
	var op *net.OpError
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Errorf("does not answer%w", quiet{err})
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("refuses connections%w", quiet{err})
	case errors.As(err, &op):
		return fmt.Errorf("cannot be reached: %v%w", op.Err, quiet{err})
	}
	return fmt.Errorf("cannot be asked: %w", err)
}

// quiet keeps the cause of an error for errors.Is without its text, which
// repeats address and path.
type quiet struct{ error }

// Error is empty.
func (quiet) Error() string { return "" }

// Unwrap returns the cause.
func (q quiet) Unwrap() error { return q.error }
