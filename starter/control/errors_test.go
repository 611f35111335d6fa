package control

import (
	"context"
	"errors"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
)

func TestDialWhereNobodyListens(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())

	_, err = Dial(t.Context(), client.Options{HostPort: address}, "from $TEMPORAL_ADDRESS")

	var unreachable *Unreachable
	require.ErrorAs(t, err, &unreachable)
	require.EqualError(t, err, "Temporal cannot be reached at "+address+" (from $TEMPORAL_ADDRESS): dial tcp "+address+": connect: connection refused")
}

func TestExplain(t *testing.T) {
	c := New(nil, Options{Address: "temporal:7233", AddressFrom: "from --temporal-address", Namespace: "ops"})
	cases := map[string]struct {
		err  error
		want string
	}{
		"unavailable":  {serviceerror.NewUnavailable("connection refused"), "Temporal cannot be reached at temporal:7233 (from --temporal-address): connection refused"},
		"late":         {context.DeadlineExceeded, "Temporal cannot be reached at temporal:7233 (from --temporal-address): no answer in time"},
		"no namespace": {serviceerror.NewNamespaceNotFound("ops"), "listing: Temporal at temporal:7233 has no namespace \"ops\": make it with `sluice bootstrap`, or name another with --temporal-namespace: Namespace ops is not found."},
		"denied":       {serviceerror.NewPermissionDenied("Request unauthorized.", ""), "listing: Temporal at temporal:7233 does not allow it in namespace \"ops\": check the API key or certificate: Request unauthorized."},
		"other":        {errors.New("broken"), "listing: broken"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			err := c.explain("listing", tc.err)
			require.EqualError(t, err, tc.want)
			require.ErrorIs(t, err, tc.err)
		})
	}
	require.NoError(t, c.explain("listing", nil))
}

func TestSubject(t *testing.T) {
	require.Equal(t, "Deployment/web in namespace shop of cluster here", Subject(testID))
	require.Equal(t, "something-else", Subject("something-else"))
}
