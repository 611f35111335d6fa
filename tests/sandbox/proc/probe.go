package proc

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// probeTimeout bounds one look at a part.
const probeTimeout = 2 * time.Second

// Probe tells whether a part is ready: TCP addresses that accept, and a URL
// that answers with a status of 2xx.
type Probe struct {
	// TCP lists addresses, host:port, all of which must accept a connection.
	TCP []string `json:"tcp,omitempty"`
	// URL is fetched with GET.
	URL string `json:"url,omitempty"`
	// CA, Cert and Key are PEM files for a URL of scheme https.
	CA   string `json:"ca,omitempty"`
	Cert string `json:"cert,omitempty"`
	Key  string `json:"key,omitempty"`

	once   sync.Once
	client *http.Client
	err    error
}

// Check returns nil if the part is ready, else why not. A nil Probe is always
// ready.
func (p *Probe) Check(ctx context.Context) error {
	if p == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	for _, address := range p.TCP {
		if err := dial(ctx, address); err != nil {
			return err
		}
	}
	if p.URL == "" {
		return nil
	}
	return p.get(ctx)
}

func dial(ctx context.Context, address string) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("dialling %s: %w", address, err)
	}
	return conn.Close()
}

func (p *Probe) get(ctx context.Context) error {
	p.once.Do(func() { p.client, p.err = p.newClient() })
	if p.err != nil {
		return p.err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL, nil)
	if err != nil {
		return fmt.Errorf("building the request to %s: %w", p.URL, err)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return fmt.Errorf("asking %s: %w", p.URL, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 512))
	if err != nil {
		return fmt.Errorf("reading the answer of %s: %w", p.URL, err)
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("asking %s: %s: %s", p.URL, resp.Status, strings.TrimSpace(string(body)))
	}
	return nil
}

func (p *Probe) newClient() (*http.Client, error) {
	// A connection per look, so that a frozen or restarted part is seen.
	transport := &http.Transport{DisableKeepAlives: true}
	if p.CA != "" {
		pool := x509.NewCertPool()
		pem, err := os.ReadFile(p.CA)
		if err != nil {
			return nil, fmt.Errorf("reading the probe's CA: %w", err)
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, errors.New("reading the probe's CA " + p.CA + ": no certificate in it")
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
		if p.Cert != "" {
			pair, err := tls.LoadX509KeyPair(p.Cert, p.Key)
			if err != nil {
				return nil, fmt.Errorf("reading the probe's certificate: %w", err)
			}
			transport.TLSClientConfig.Certificates = []tls.Certificate{pair}
		}
	}
	return &http.Client{Transport: transport}, nil
}
