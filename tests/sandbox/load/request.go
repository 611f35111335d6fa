package load

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
)

// Kind is a combination of method and connection.
type Kind string

// The kinds of requests.
const (
	GetKept  Kind = "get/keep-alive"
	GetNew   Kind = "get/new"
	PostKept Kind = "post/keep-alive"
	PostNew  Kind = "post/new"
)

// kindOf names the combination.
func kindOf(post, fresh bool) Kind {
	switch {
	case post && fresh:
		return PostNew
	case post:
		return PostKept
	case fresh:
		return GetNew
	default:
		return GetKept
	}
}

// prepared is a target as the clients use it: the bytes of its requests are
// made once, so that sending one costs a single write.
type prepared struct {
	cohort string
	addr   netip.AddrPort
	raw    map[Kind][]byte
	header string // of an answer that names its version; none if empty
}

func prepare(t Target) (prepared, error) {
	addr, err := t.address()
	if err != nil {
		return prepared{}, err
	}
	p := prepared{cohort: t.Name, addr: addr, raw: map[Kind][]byte{}, header: t.VersionHeader}
	for _, post := range []bool{false, true} {
		for _, fresh := range []bool{false, true} {
			raw, err := encode(t, post, fresh)
			if err != nil {
				return prepared{}, fmt.Errorf("encoding a request to %s: %w", t.URL, err)
			}
			p.raw[kindOf(post, fresh)] = raw
		}
	}
	return p, nil
}

// encode returns a request as it goes over the wire. One on a new connection
// asks the server to close it, as clients without keep-alive do.
func encode(t Target, post, fresh bool) ([]byte, error) {
	method, body := http.MethodGet, io.Reader(nil)
	if post {
		method, body = http.MethodPost, strings.NewReader("sluice-load")
	}
	req, err := http.NewRequest(method, t.URL, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "sluice-load")
	for name, value := range t.Headers {
		req.Header.Set(name, value)
	}
	if t.Host != "" {
		req.Host = t.Host
	}
	req.Close = fresh
	var buf bytes.Buffer
	if err := req.Write(&buf); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}
