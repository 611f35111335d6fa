package observe

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func canary(name, weight string) *networkingv1.Ingress {
	return &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, Annotations: map[string]string{
		annotationCanary: "true", annotationWeight: weight,
	}}}
}

func TestWeights(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	kube := fake.NewClientset(canary("before", "5"), &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "plain"}})
	o, err := Weights(ctx, kube)
	require.NoError(t, err)
	mark := o.Mark()
	require.Equal(t, 1, mark, "only the canary counts")

	ingresses := kube.NetworkingV1().Ingresses("shop")
	_, err = ingresses.Create(ctx, canary("web", "0"), metav1.CreateOptions{})
	require.NoError(t, err)
	next := canary("web", "10")
	_, err = ingresses.Update(ctx, next, metav1.UpdateOptions{})
	require.NoError(t, err)
	next.Labels = map[string]string{"not": "observed"}
	_, err = ingresses.Update(ctx, next, metav1.UpdateOptions{})
	require.NoError(t, err)
	require.NoError(t, ingresses.Delete(ctx, "web", metav1.DeleteOptions{}))

	gone, err := o.Await(ctx, "it is gone", mark, Is("shop/web", Gone))
	require.NoError(t, err)
	events, _ := o.Since(mark)
	var values []string
	for _, e := range events {
		require.Equal(t, "shop/web", e.Key)
		require.False(t, e.At.After(gone.At))
		values = append(values, e.Value)
	}
	require.Equal(t, []string{"0", "10", Gone}, values)
}

func TestAwaitSaysWhatItWaitsFor(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := newObserver(nil).Await(ctx, "pigs fly", 0, Is("a", "b"))
	require.ErrorContains(t, err, "waiting until pigs fly")
}
