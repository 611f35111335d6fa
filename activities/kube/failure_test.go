package kube_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"sluice.dev/sluice/activities/kube"
)

func TestFailureDecidesWhatIsRetried(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	generic := func(code int) error {
		return apierrors.NewGenericServerResponse(code, "get", pods, "", "", 0, false)
	}
	cases := []struct {
		name     string
		given    error
		want     string
		terminal bool
	}{
		{"missing object", apierrors.NewNotFound(pods, "a"), kube.ErrNotFound, true},
		{"missing API while the server starts", generic(http.StatusNotFound), kube.ErrUnavailable, false},
		{"invalid object", apierrors.NewInvalid(schema.GroupKind{Kind: "Pod"}, "a", field.ErrorList{field.Required(field.NewPath("spec"), "")}), kube.ErrInvalid, true},
		{"bad request", apierrors.NewBadRequest("no"), kube.ErrInvalid, true},
		{"too large", apierrors.NewRequestEntityTooLargeError("no"), kube.ErrInvalid, true},
		{"missing right, or an API server that has just started", apierrors.NewForbidden(pods, "a", errors.New("rbac")), kube.ErrForbidden, false},
		{"credentials", apierrors.NewUnauthorized("who"), kube.ErrForbidden, false},
		{"version", apierrors.NewConflict(pods, "a", errors.New("modified")), kube.ErrConflict, false},
		{"name taken", apierrors.NewAlreadyExists(pods, "a"), kube.ErrConflict, false},
		{"failed test of a JSON patch", apierrors.NewGenericServerResponse(http.StatusUnprocessableEntity, "", schema.GroupResource{}, "", "testing value", 0, false), kube.ErrConflict, false},
		{"overload", apierrors.NewTooManyRequests("later", 1), kube.ErrUnavailable, false},
		{"server error", generic(http.StatusInternalServerError), kube.ErrUnavailable, false},
		{"server timeout", apierrors.NewServerTimeout(pods, "get", 1), kube.ErrUnavailable, false},
		{"no connection", errors.New("dial tcp 127.0.0.1:6443: connect: connection refused"), kube.ErrUnavailable, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := kube.Failure(c.given, "reading Pod shop/a")
			var app *temporal.ApplicationError
			require.ErrorAs(t, err, &app)
			require.Equal(t, c.want, app.Type())
			require.Equal(t, c.terminal, app.NonRetryable())
			require.Contains(t, err.Error(), "reading Pod shop/a: ")
			require.Contains(t, err.Error(), c.given.Error())
		})
	}
}

func TestFailureLeavesWhatIsDecided(t *testing.T) {
	require.NoError(t, kube.Failure(nil, "x"))
	for _, err := range []error{
		context.Canceled, fmt.Errorf("get: %w", context.DeadlineExceeded), kube.Terminal(kube.ErrDrift, "x"),
	} {
		require.Equal(t, err, kube.Failure(err, "x"))
	}
	require.True(t, kube.IsType(fmt.Errorf("more: %w", kube.Terminal(kube.ErrDrift, "x")), kube.ErrDrift))
	require.False(t, kube.IsType(errors.New("x"), kube.ErrDrift))
}

func TestIsConflictKnowsAnInvalidObject(t *testing.T) {
	invalid := apierrors.NewInvalid(schema.GroupKind{Kind: "Pod"}, "a", nil)
	require.False(t, kube.IsConflict(invalid))
	require.False(t, kube.IsConflict(errors.New("x")))
	require.True(t, kube.IsConflict(&apierrors.StatusError{ErrStatus: metav1.Status{Code: http.StatusUnprocessableEntity}}))
}
