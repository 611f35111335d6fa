package gateway

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"sluice.dev/sluice/tests/chaos/oracle"
)

// DoorPort is the port of every replica for requests of clients.
const DoorPort = 8000

// Application answers requests: it names the pod with an address and its version,
// or says that it does not answer.
type Application func(ip string) (pod, version string, answers bool)

// Transport is an HTTP transport that reaches replicas: their state APIs, and,
// through their doors, an application. Its answers have the headers X-Pod and
// X-Version.
type Transport struct {
	Replicas    API
	Application Application
}

// RoundTrip answers one request.
func (t Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	for _, g := range t.Replicas {
		host, _, err := net.SplitHostPort(g.Address)
		if err == nil && r.URL.Host == net.JoinHostPort(host, fmt.Sprint(DoorPort)) {
			return t.enter(g, r), nil
		}
	}
	return t.Replicas.RoundTrip(r)
}

// enter routes one request through a replica.
func (t Transport) enter(g *Replica, r *http.Request) *http.Response {
	response := &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("")), Request: r, ProtoMajor: 1, ProtoMinor: 1,
	}
	answer := g.Ask(oracle.Request{Path: r.URL.Path, Header: r.Header})
	pod, version, answers := t.Application(answer.Pod)
	switch {
	case answer.Lost != "":
		response.StatusCode = http.StatusServiceUnavailable
	case !answers:
		response.StatusCode = http.StatusBadGateway
	default:
		response.Header.Set("X-Pod", pod)
		response.Header.Set("X-Version", version)
	}
	response.Status = http.StatusText(response.StatusCode)
	return response
}
