package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/temporal"

	"sluice.dev/sluice/workflows"
)

// attributes is what a namespace knows of our search attributes.
type attributes struct {
	// missing and wrong ones by name; wrong ones have another type.
	missing []string
	wrong   []string
	// unknown says why they could not be listed.
	unknown error
}

// usable says that rollouts can carry all of them.
func (a *attributes) usable() bool {
	return a.unknown == nil && len(a.missing) == 0 && len(a.wrong) == 0
}

// warning says what rollouts miss, or nothing.
func (a *attributes) warning(namespace string) string {
	const rest = "rollouts work the same but cannot be searched for by phase"
	switch {
	case a.unknown != nil:
		return fmt.Sprintf("the search attributes of Temporal namespace %s could not be read (%s): %s", namespace, rootText(a.unknown), rest)
	case len(a.wrong) > 0:
		return fmt.Sprintf("search attributes of Temporal namespace %s have another type than ours (%s): %s", namespace, strings.Join(a.wrong, ", "), rest)
	case len(a.missing) > 0:
		return fmt.Sprintf("Temporal namespace %s does not know our search attributes: %s; `sluice bootstrap` registers them", namespace, rest)
	}
	return ""
}

// wanted are our search attributes in the order in which they are declared.
var wanted = []temporal.SearchAttributeKey{
	workflows.AttrWorkload, workflows.AttrNamespace, workflows.AttrCluster,
	workflows.AttrPhase, workflows.AttrRevision, workflows.AttrStep,
}

// knownAttributes looks once which of our search attributes the namespace has.
// A failure to look is not remembered.
func (c *Client) knownAttributes(ctx context.Context) *attributes {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.attributes != nil {
		return c.attributes
	}
	types, err := c.listAttributes(ctx)
	if err != nil {
		return &attributes{unknown: err}
	}
	c.attributes = compareAttributes(types)
	return c.attributes
}

func (c *Client) forgetAttributes() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.attributes = nil
}

func compareAttributes(types map[string]enumspb.IndexedValueType) *attributes {
	a := &attributes{}
	for _, key := range wanted {
		switch has, known := types[key.GetName()]; {
		case !known:
			a.missing = append(a.missing, key.GetName())
		case has != key.GetValueType():
			a.wrong = append(a.wrong, fmt.Sprintf("%s is %s, not %s", key.GetName(), has, key.GetValueType()))
		}
	}
	slices.Sort(a.wrong)
	return a
}

// listAttributes asks the operator service, and the older call where that
// service is not offered.
func (c *Client) listAttributes(ctx context.Context) (map[string]enumspb.IndexedValueType, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	listed, err := c.temporal.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: c.opts.Namespace})
	if err == nil {
		return listed.GetCustomAttributes(), nil
	}
	var unimplemented *serviceerror.Unimplemented
	var denied *serviceerror.PermissionDenied
	if !errors.As(err, &unimplemented) && !errors.As(err, &denied) {
		return nil, err
	}
	older, err := c.temporal.GetSearchAttributes(ctx)
	if err != nil {
		return nil, err
	}
	return older.GetKeys(), nil
}
