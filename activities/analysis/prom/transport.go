package prom

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"sluice.dev/sluice/config"
)

// transport adds credentials and headers to requests and bounds answers.
type transport struct {
	server  config.Prometheus
	secrets Secrets

	mu    sync.Mutex
	known authorization
	// until is when the secret is read again.
	until time.Time
	// next is the connection, made with the certificates of a text, which are read again
	// at nextUntil.
	next         *http.Transport
	certificates string
	nextUntil    time.Time
}

// secretAge is how long a secret is used before it is read again: tokens and
// certificates in files and Secrets are renewed while a rollout goes on.
const secretAge = time.Minute

func newTransport(ctx context.Context, server config.Prometheus, secrets Secrets) (*transport, error) {
	t := &transport{server: server, secrets: secrets}
	// Read once now, so that a secret that is missing is told before the start.
	if _, err := t.connection(ctx); err != nil {
		return nil, err
	}
	_, err := t.authorization(ctx)
	return t, err
}

// connection is made anew where certificates have changed, which are read at most once
// per secretAge.
func (t *transport) connection(ctx context.Context) (*http.Transport, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.next != nil && (t.server.TLS == nil || time.Now().Before(t.nextUntil)) {
		return t.next, nil
	}
	var read strings.Builder
	next := &http.Transport{Proxy: http.ProxyFromEnvironment, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true, MaxConnsPerHost: 8}
	if t.server.TLS != nil {
		made, err := newTLS(ctx, *t.server.TLS, func(ctx context.Context, c config.Credential) (string, error) {
			text, err := t.secrets(ctx, c)
			read.WriteString(text + "\n")
			return text, err
		})
		if err != nil {
			return nil, err
		}
		next.TLSClientConfig = made
	}
	t.nextUntil = time.Now().Add(secretAge)
	if t.next == nil || t.certificates != read.String() {
		if t.next != nil {
			t.next.CloseIdleConnections()
		}
		t.next, t.certificates = next, read.String()
	}
	return t.next, nil
}

// RoundTrip sends one request.
func (t *transport) RoundTrip(request *http.Request) (*http.Response, error) {
	if err := t.own(request.URL); err != nil {
		return nil, err
	}
	next, err := t.connection(request.Context())
	if err != nil {
		return nil, err
	}
	authorization, err := t.authorization(request.Context())
	if err != nil {
		return nil, err
	}
	request = request.Clone(request.Context())
	for name, text := range t.server.Headers {
		request.Header.Set(name, text)
	}
	switch {
	case authorization.username != "":
		request.SetBasicAuth(authorization.username, authorization.secret)
	case authorization.secret != "":
		request.Header.Set("Authorization", "Bearer "+authorization.secret)
	}
	response, err := next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	if refuses(response.StatusCode) {
		_ = response.Body.Close()
		return nil, &badStatus{status: response.Status, retry: response.Header.Get("Retry-After")}
	}
	return t.whole(response)
}

// whole reads an answer to its end, within the bound. VictoriaMetrics says beside
// the data, where clients of Prometheus do not look, that a part of its cluster has
// not answered.
func (t *transport) whole(response *http.Response) (*http.Response, error) {
	body := &bounded{ReadCloser: response.Body, left: t.server.MaxBytes, limit: t.server.MaxBytes}
	defer func() { _ = body.Close() }()
	text, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	var said struct {
		IsPartial bool `json:"isPartial"`
	}
	if json.Unmarshal(text, &said) == nil && said.IsPartial {
		return nil, errPartial
	}
	response.Body = io.NopCloser(bytes.NewReader(text))
	return response, nil
}

// errPartial is an answer that says itself that it is not whole.
var errPartial = errors.New("the answer may lack data: isPartial, a part of the cluster has not answered")

// own refuses addresses that a redirect leads to: the credentials and headers are
// for this server, and not for whomever an answer names.
func (t *transport) own(asked *url.URL) error {
	address, err := url.Parse(t.server.Address)
	if err != nil {
		return fmt.Errorf("reading the address of Prometheus: %w", err)
	}
	if asked.Host != address.Host || address.Scheme == "https" && asked.Scheme != "https" {
		return &elsewhere{to: asked.Scheme + "://" + asked.Host}
	}
	return nil
}

type authorization struct{ username, secret string }

// authorization is read at most once per secretAge.
func (t *transport) authorization(ctx context.Context) (authorization, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if time.Now().Before(t.until) {
		return t.known, nil
	}
	found, err := t.readAuthorization(ctx)
	if err == nil {
		t.known, t.until = found, time.Now().Add(secretAge)
	}
	return found, err
}

func (t *transport) readAuthorization(ctx context.Context) (authorization, error) {
	read := func(c *config.Credential) (string, error) {
		text, err := t.secrets(ctx, *c)
		return strings.TrimSpace(text), err
	}
	switch {
	case t.server.Password != nil:
		password, err := read(t.server.Password)
		return authorization{username: t.server.Username, secret: password}, err
	case t.server.Bearer != nil:
		token, err := read(t.server.Bearer)
		return authorization{secret: token}, err
	}
	return authorization{}, nil
}

func newTLS(ctx context.Context, t config.TLS, secrets Secrets) (*tls.Config, error) {
	made := &tls.Config{ServerName: t.ServerName, InsecureSkipVerify: t.Insecure, MinVersion: tls.VersionTLS12}
	if t.CA != nil {
		pem, err := secrets(ctx, *t.CA)
		if err != nil {
			return nil, fmt.Errorf("reading tls.ca: %w", err)
		}
		made.RootCAs = x509.NewCertPool()
		if !made.RootCAs.AppendCertsFromPEM([]byte(pem)) {
			return nil, errors.New("reading tls.ca: it holds no certificate in PEM form")
		}
	}
	if t.Cert == nil || t.PrivateKey == nil {
		return made, nil
	}
	cert, err := secrets(ctx, *t.Cert)
	if err != nil {
		return nil, fmt.Errorf("reading tls.cert: %w", err)
	}
	key, err := secrets(ctx, *t.PrivateKey)
	if err != nil {
		return nil, fmt.Errorf("reading tls.privateKey: %w", err)
	}
	pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
	if err != nil {
		return nil, fmt.Errorf("reading tls.cert and tls.privateKey: %w", err)
	}
	made.Certificates = []tls.Certificate{pair}
	return made, nil
}
