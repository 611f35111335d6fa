package watch

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	arv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/activities/kube/kubetest"
)

const hookHost = "sluice-watch.sluice-system.svc"

// inHooks runs a test with two replicas that share a Secret, in virtual time.
func inHooks(t *testing.T, test func(server *kubetest.Server, replicas []*replica)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		server := kubetest.New()
		var replicas []*replica
		for range 2 {
			replicas = append(replicas, &replica{
				t: t, hook: &Hook{Service: "sluice-watch", FailurePolicy: arv1.Ignore},
				watcher: &Watcher{Options: Options{Kube: server, Home: "sluice-system", Log: slog.New(slog.DiscardHandler)}, caches: &caches{}},
				c:       &certificate{client: server, namespace: "sluice-system", secret: "sluice-watch-webhook", hosts: []string{hookHost}, now: time.Now},
			})
		}
		test(server, replicas)
	})
}

// replica is one of the watchers, as far as its webhooks go.
type replica struct {
	t       *testing.T
	hook    *Hook
	watcher *Watcher
	c       *certificate
}

func (r *replica) renew() {
	r.t.Helper()
	require.NoError(r.t, r.hook.renew(r.t.Context(), r.watcher, r.c))
}

// trusted are the authorities that the API server has been told of.
func (r *replica) trusted() []byte {
	r.t.Helper()
	mutating, err := r.watcher.Kube.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(r.t.Context(), "sluice-watch", metav1.GetOptions{})
	require.NoError(r.t, err)
	validating, err := r.watcher.Kube.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(r.t.Context(), "sluice-watch", metav1.GetOptions{})
	require.NoError(r.t, err)
	require.Equal(r.t, mutating.Webhooks[0].ClientConfig.CABundle, validating.Webhooks[0].ClientConfig.CABundle)
	return mutating.Webhooks[0].ClientConfig.CABundle
}

// answers says whether a client that trusts a bundle gets to the replica, and
// the number of the certificate that it was shown.
func (r *replica) answers(bundle []byte) (string, error) {
	r.t.Helper()
	pool := x509.NewCertPool()
	require.True(r.t, pool.AppendCertsFromPEM(bundle))
	near, far := net.Pipe()
	defer near.Close()
	server := tls.Server(far, r.c.config())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.HandshakeContext(context.Background())
		far.Close()
	}()
	client := tls.Client(near, &tls.Config{RootCAs: pool, ServerName: hookHost})
	err := client.HandshakeContext(context.Background())
	near.Close()
	<-done
	if err != nil {
		return "", err
	}
	return client.ConnectionState().PeerCertificates[0].SerialNumber.String(), nil
}

func TestReplicasShareACertificate(t *testing.T) {
	inHooks(t, func(_ *kubetest.Server, replicas []*replica) {
		var numbers []string
		for _, r := range replicas {
			r.renew()
			number, err := r.answers(r.trusted())
			require.NoError(t, err)
			numbers = append(numbers, number)
		}
		require.Equal(t, numbers[0], numbers[1])
	})
}

func TestCertificateIsRenewedInTimeAndNobodyIsRefused(t *testing.T) {
	inHooks(t, func(_ *kubetest.Server, replicas []*replica) {
		first, second := replicas[0], replicas[1]
		first.renew()
		second.renew()
		old, err := first.answers(first.trusted())
		require.NoError(t, err)
		before := first.trusted()

		time.Sleep(365*24*time.Hour - renewBefore - 2*time.Hour)
		first.renew()
		require.True(t, bytes.Equal(before, first.trusted()), "it is good for long enough")

		time.Sleep(3 * time.Hour)
		done := make(chan struct{})
		go func() {
			defer close(done)
			first.renew()
		}()
		time.Sleep(spreading / 2)
		require.False(t, bytes.Equal(before, first.trusted()))
		for _, bundle := range [][]byte{before, first.trusted()} {
			number, err := first.answers(bundle)
			require.NoError(t, err, "an API server may not have seen the registration yet")
			require.Equal(t, old, number)
		}
		<-done
		fresh, err := first.answers(first.trusted())
		require.NoError(t, err)
		require.NotEqual(t, old, fresh)
		number, err := second.answers(first.trusted())
		require.NoError(t, err, "the other replica has not looked yet")
		require.Equal(t, old, number)

		second.renew()
		number, err = second.answers(second.trusted())
		require.NoError(t, err)
		require.Equal(t, fresh, number)
	})
}

func TestSecretThatSomebodyHasSpoilt(t *testing.T) {
	spoil := map[string]func(server *kubetest.Server, have *corev1.Secret){
		"deleted": func(server *kubetest.Server, have *corev1.Secret) { server.Delete(have) },
		"emptied": func(server *kubetest.Server, have *corev1.Secret) {
			have.Data = nil
			server.Put(have)
		},
		"for another host": func(server *kubetest.Server, have *corev1.Secret) {
			other := &certificate{hosts: []string{"elsewhere"}, now: time.Now}
			next, err := other.renewed(have)
			require.NoError(t, err)
			server.Put(next)
		},
	}
	for name, spoilt := range spoil {
		t.Run(name, func(t *testing.T) {
			inHooks(t, func(server *kubetest.Server, replicas []*replica) {
				for _, r := range replicas {
					r.renew()
				}
				old := replicas[0].trusted()
				have, err := server.CoreV1().Secrets("sluice-system").Get(t.Context(), "sluice-watch-webhook", metav1.GetOptions{})
				require.NoError(t, err)
				spoilt(server, have.DeepCopy())
				replicas[0].renew()
				require.False(t, bytes.Equal(old, replicas[0].trusted()))
				for _, r := range replicas {
					r.renew()
					_, err := r.answers(replicas[0].trusted())
					require.NoError(t, err)
				}
			})
		})
	}
}

func TestRegistrationThatSomebodyHasChangedIsMended(t *testing.T) {
	inHooks(t, func(server *kubetest.Server, replicas []*replica) {
		r := replicas[0]
		r.renew()
		hooks := server.AdmissionregistrationV1().MutatingWebhookConfigurations()
		have, err := hooks.Get(t.Context(), "sluice-watch", metav1.GetOptions{})
		require.NoError(t, err)
		want := have.DeepCopy().Webhooks
		require.Equal(t, map[string]string{"sluice.dev/has-rollout": "true"}, want[0].ObjectSelector.MatchLabels, "no other object is asked about")
		require.Equal(t, int32(hookTimeout), *want[0].TimeoutSeconds)
		require.Equal(t, arv1.Ignore, *want[0].FailurePolicy)
		have.Webhooks[0].ObjectSelector = nil
		_, err = hooks.Update(t.Context(), have, metav1.UpdateOptions{})
		require.NoError(t, err)
		r.renew()
		have, err = hooks.Get(t.Context(), "sluice-watch", metav1.GetOptions{})
		require.NoError(t, err)
		require.Equal(t, want, have.Webhooks)
	})
}
