package control

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
)

// nothing is a namespace without search attributes of ours.
func nothing() (map[string]enumspb.IndexedValueType, error) { return nil, nil }

func TestBootstrapMakesWhatIsMissing(t *testing.T) {
	var registered *workflowservice.RegisterNamespaceRequest
	var added map[string]enumspb.IndexedValueType
	adds := 0
	c := newClient(t, &frontend{
		namespace: func() error { return serviceerror.NewNamespaceNotFound("ops") },
		register:  func(r *workflowservice.RegisterNamespaceRequest) error { registered = r; return nil },
		attrs:     nothing,
		add: func(r *operatorservice.AddSearchAttributesRequest) error {
			if adds++; adds == 1 {
				// A namespace is not known everywhere at once.
				return serviceerror.NewNamespaceNotFound("ops")
			}
			added = r.GetSearchAttributes()
			return nil
		},
	})

	done, err := c.Bootstrap(t.Context(), 48*time.Hour)

	require.NoError(t, err)
	require.Equal(t, "ops", registered.GetNamespace())
	require.Equal(t, 48*time.Hour, registered.GetWorkflowExecutionRetentionPeriod().AsDuration())
	require.Equal(t, allAttributes(), added)
	require.Len(t, done, 7)
	for _, one := range done {
		require.Equal(t, resultCreated, one.Result)
	}
	require.Equal(t, "search attribute SluiceStep (Int)", done[6].What)
}

func TestBootstrapAgainDoesNothing(t *testing.T) {
	done, err := newClient(t, &frontend{}).Bootstrap(t.Context(), 48*time.Hour)

	require.NoError(t, err)
	require.Len(t, done, 7)
	for _, one := range done {
		require.Equal(t, resultExisting, one.Result)
	}
}

func TestBootstrapThatIsNotAllowed(t *testing.T) {
	denied := serviceerror.NewPermissionDenied("Request unauthorized.", "")
	cases := map[string]struct {
		frontend *frontend
		address  string
		want     string
	}{
		"namespace": {
			frontend: &frontend{
				namespace: func() error { return serviceerror.NewNamespaceNotFound("ops") },
				register:  func(*workflowservice.RegisterNamespaceRequest) error { return denied },
			},
			want: "temporal operator namespace create --namespace ops --retention 48h0m0s",
		},
		"search attributes": {
			frontend: &frontend{attrs: nothing, add: func(*operatorservice.AddSearchAttributesRequest) error { return denied }},
			want:     "temporal operator search-attribute create --namespace ops --name SluiceWorkload --type Keyword",
		},
		"no operator service": {frontend: &frontend{attrs: nothing}, want: "tcld namespace search-attributes add --namespace ops --sa SluiceWorkload=Keyword"},
		"cloud": {
			frontend: &frontend{attrs: nothing, add: func(*operatorservice.AddSearchAttributesRequest) error { return denied }},
			address:  "ops.abc12.tmprl.cloud:7233", want: "Temporal Cloud does this in its console or with tcld",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, tc.frontend)
			if tc.address != "" {
				c.opts.Address = tc.address
			}

			_, err := c.Bootstrap(t.Context(), 48*time.Hour)

			require.ErrorContains(t, err, tc.want)
			require.ErrorContains(t, err, "Rollouts work without it")
		})
	}
}

func TestBootstrapMeetsOtherTypes(t *testing.T) {
	c := newClient(t, &frontend{attrs: func() (map[string]enumspb.IndexedValueType, error) {
		return map[string]enumspb.IndexedValueType{"SluicePhase": enumspb.INDEXED_VALUE_TYPE_TEXT}, nil
	}})

	done, err := c.Bootstrap(t.Context(), 48*time.Hour)

	require.ErrorContains(t, err, "SluicePhase is Text, not Keyword")
	require.Len(t, done, 1, "what was done before is told")
}
