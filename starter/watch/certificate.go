package watch

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/cert"

	"sluice.dev/sluice/activities/release"
)

// certificate is the webhooks' own, kept in a Secret that all replicas share.
// It is renewed by whichever replica first finds it old. The authority of the one
// before stays trusted, and a new one is served only when the API server trusts
// it, so that no replica is refused meanwhile.
type certificate struct {
	client            kubernetes.Interface
	namespace, secret string
	hosts             []string
	now               func() time.Time

	current atomic.Pointer[tls.Certificate]
}

// Keys of the Secret besides those of TLS.
const previousKey = "previous.crt"

// renewBefore is how long before its end a certificate of one year is renewed.
const renewBefore = 120 * 24 * time.Hour

// ensure reads or makes the certificate and returns the authorities to trust. It
// is served when the caller has stored it in current.
func (c *certificate) ensure(ctx context.Context) ([]byte, *tls.Certificate, error) {
	secrets := c.client.CoreV1().Secrets(c.namespace)
	for range 3 {
		have, err := secrets.Get(ctx, c.secret, metav1.GetOptions{})
		missing := apierrors.IsNotFound(err)
		if err != nil && !missing {
			return nil, nil, fmt.Errorf("reading Secret %s/%s: %w", c.namespace, c.secret, err)
		}
		if !missing {
			if pair := c.good(have); pair != nil {
				return bytes.Join([][]byte{have.Data[corev1.TLSCertKey], have.Data[previousKey]}, nil), pair, nil
			}
		}
		next, err := c.renewed(have)
		if err != nil {
			return nil, nil, err
		}
		if missing {
			_, err = secrets.Create(ctx, next, metav1.CreateOptions{FieldManager: release.WatchManager})
		} else {
			_, err = secrets.Update(ctx, next, metav1.UpdateOptions{FieldManager: release.WatchManager})
		}
		if err != nil && !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) {
			return nil, nil, fmt.Errorf("writing Secret %s/%s: %w", c.namespace, c.secret, err)
		}
	}
	return nil, nil, fmt.Errorf("writing Secret %s/%s: others write to it all the time", c.namespace, c.secret)
}

// good returns the certificate of a Secret if it is good for every host for long
// enough; else nil.
func (c *certificate) good(secret *corev1.Secret) *tls.Certificate {
	pair, err := tls.X509KeyPair(secret.Data[corev1.TLSCertKey], secret.Data[corev1.TLSPrivateKeyKey])
	if err != nil || pair.Leaf == nil || c.now().Add(renewBefore).After(pair.Leaf.NotAfter) {
		return nil
	}
	for _, host := range c.hosts {
		if pair.Leaf.VerifyHostname(host) != nil {
			return nil
		}
	}
	return &pair
}

// serves says that a certificate is the one that is served already.
func (c *certificate) serves(pair *tls.Certificate) bool {
	current := c.current.Load()
	return current != nil && bytes.Equal(current.Certificate[0], pair.Certificate[0])
}

// renewed returns the Secret with a new certificate and its own authority.
func (c *certificate) renewed(have *corev1.Secret) (*corev1.Secret, error) {
	var ips []net.IP
	var names []string
	for _, host := range c.hosts {
		if ip := net.ParseIP(host); ip != nil {
			ips = append(ips, ip)
		} else {
			names = append(names, host)
		}
	}
	crt, key, err := cert.GenerateSelfSignedCertKey(c.hosts[0], ips, names)
	if err != nil {
		return nil, fmt.Errorf("making a certificate for %v: %w", c.hosts, err)
	}
	next := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace, Name: c.secret}, Type: corev1.SecretTypeTLS}
	data := map[string][]byte{corev1.TLSCertKey: crt, corev1.TLSPrivateKeyKey: key}
	if have != nil && have.Name != "" {
		next = have.DeepCopy()
		data[previousKey] = authorities(have.Data[corev1.TLSCertKey])
	} else if current := c.current.Load(); current != nil {
		// Somebody has deleted the Secret; other replicas serve this one, too.
		data[previousKey] = encoded(current.Certificate)
	}
	next.Data = data
	return next, nil
}

// authorities keeps what can be read of a bundle.
func authorities(bundle []byte) []byte {
	var kept []byte
	for block, rest := pem.Decode(bundle); block != nil; block, rest = pem.Decode(rest) {
		if _, err := x509.ParseCertificate(block.Bytes); err == nil {
			kept = append(kept, pem.EncodeToMemory(block)...)
		}
	}
	return kept
}

// encoded is a chain of certificates as a bundle of authorities.
func encoded(chain [][]byte) []byte {
	var bundle []byte
	for _, der := range chain {
		bundle = append(bundle, pem.EncodeToMemory(&pem.Block{Type: cert.CertificateBlockType, Bytes: der})...)
	}
	return bundle
}

// config serves the present certificate.
func (c *certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return c.current.Load(), nil
		},
	}
}
