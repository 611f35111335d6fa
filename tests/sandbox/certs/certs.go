// Package certs is the certificate authority of a sandbox: it issues the API
// server's certificate, a client certificate per user, and the key that
// service account tokens are signed with.
package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const (
	// lifetime is long enough for any sandbox that is kept.
	lifetime = 10 * 365 * 24 * time.Hour
	// skew makes certificates valid on machines whose clock is set back.
	skew = time.Hour
)

// Authority issues certificates.
type Authority struct {
	// PEM is the authority's own certificate.
	PEM []byte

	cert *x509.Certificate
	key  crypto.Signer
}

// Pair is a certificate and its key, both as PEM.
type Pair struct {
	Cert, Key []byte
}

// Open returns the authority kept in dir as ca.crt and ca.key, and makes a
// new one if there is none.
func Open(dir string) (*Authority, error) {
	certFile, keyFile := filepath.Join(dir, "ca.crt"), filepath.Join(dir, "ca.key")
	pair, err := read(certFile, keyFile)
	if errors.Is(err, os.ErrNotExist) {
		if pair, err = newAuthority(); err == nil {
			err = pair.Write(certFile, keyFile)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("opening the certificate authority: %w", err)
	}
	return parse(pair)
}

// Server issues a certificate for a server that is reached by the given host
// names and IP addresses.
func (a *Authority) Server(name string, hosts ...string) (Pair, error) {
	template := newTemplate(pkix.Name{CommonName: name}, x509.ExtKeyUsageServerAuth)
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	return a.issue(template)
}

// Client issues a certificate for a Kubernetes user in the given groups.
func (a *Authority) Client(user string, groups ...string) (Pair, error) {
	return a.issue(newTemplate(pkix.Name{CommonName: user, Organization: groups}, x509.ExtKeyUsageClientAuth))
}

// EnsureKey makes a key for signing tokens and writes it to the file, unless
// it is there already.
func EnsureKey(file string) error {
	if _, err := os.Stat(file); err == nil {
		return nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("generating a key: %w", err)
	}
	text, err := encodeKey(key)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return fmt.Errorf("writing a key: %w", err)
	}
	return nil
}

// Write stores the pair in two files.
func (p Pair) Write(certFile, keyFile string) error {
	if err := os.WriteFile(certFile, p.Cert, 0o600); err != nil {
		return fmt.Errorf("writing a certificate: %w", err)
	}
	if err := os.WriteFile(keyFile, p.Key, 0o600); err != nil {
		return fmt.Errorf("writing a key: %w", err)
	}
	return nil
}

func (a *Authority) issue(template *x509.Certificate) (Pair, error) {
	return sign(template, a.cert, a.key)
}

func newAuthority() (Pair, error) {
	template := newTemplate(pkix.Name{CommonName: "sluice-sandbox"})
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.KeyUsage |= x509.KeyUsageCertSign
	return sign(template, nil, nil)
}

func newTemplate(subject pkix.Name, usage ...x509.ExtKeyUsage) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		Subject:     subject,
		NotBefore:   now.Add(-skew),
		NotAfter:    now.Add(lifetime),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: usage,
	}
}

// sign makes a key and a certificate for it, signed by the parent or, without
// one, by itself.
func sign(template, parent *x509.Certificate, signer crypto.Signer) (Pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, fmt.Errorf("generating a key: %w", err)
	}
	if parent == nil {
		parent, signer = template, key
	}
	template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return Pair{}, fmt.Errorf("choosing a serial number: %w", err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return Pair{}, fmt.Errorf("signing the certificate of %s: %w", template.Subject.CommonName, err)
	}
	text, err := encodeKey(key)
	if err != nil {
		return Pair{}, err
	}
	return Pair{Cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), Key: text}, nil
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encoding a key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
}

func read(certFile, keyFile string) (Pair, error) {
	cert, err := os.ReadFile(certFile)
	if err != nil {
		return Pair{}, err
	}
	key, err := os.ReadFile(keyFile)
	return Pair{Cert: cert, Key: key}, err
}

func parse(pair Pair) (*Authority, error) {
	certBlock, _ := pem.Decode(pair.Cert)
	keyBlock, _ := pem.Decode(pair.Key)
	if certBlock == nil || keyBlock == nil {
		return nil, errors.New("opening the certificate authority: ca.crt or ca.key is not PEM")
	}
	cert, err := x509.ParseCertificate(certBlock.Bytes)
	if err != nil {
		return nil, fmt.Errorf("opening the certificate authority: %w", err)
	}
	key, err := x509.ParseECPrivateKey(keyBlock.Bytes)
	if err != nil {
		return nil, fmt.Errorf("opening the certificate authority: %w", err)
	}
	return &Authority{PEM: pair.Cert, cert: cert, key: key}, nil
}
