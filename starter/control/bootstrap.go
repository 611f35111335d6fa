package control

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Prepared is one thing that a namespace needs and what Bootstrap did about it.
type Prepared struct {
	// What it is, such as "search attribute SluicePhase (Keyword)".
	What string `json:"what"`
	// Result is "created" or "there already".
	Result string `json:"result"`
}

// The results of Bootstrap.
const (
	resultCreated  = "created"
	resultExisting = "there already"
)

// Bootstrap makes the namespace, which keeps closed rollouts for the retention,
// and registers the search attributes. It may be repeated. What had been done
// when an error came is returned with it; the error says what to do instead.
func (c *Client) Bootstrap(ctx context.Context, retention time.Duration) ([]Prepared, error) {
	namespace, err := c.ensureNamespace(ctx, retention)
	if err != nil {
		return nil, err
	}
	done := []Prepared{namespace}
	attributes, err := c.ensureAttributes(ctx, namespace.Result == resultCreated)
	return append(done, attributes...), err
}

func (c *Client) ensureNamespace(ctx context.Context, retention time.Duration) (Prepared, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	service := c.temporal.WorkflowService()
	p := Prepared{What: "namespace " + c.opts.Namespace, Result: resultExisting}
	_, err := service.DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: c.opts.Namespace})
	var unknown *serviceerror.NamespaceNotFound
	if !errors.As(err, &unknown) {
		return p, c.explain("looking at Temporal namespace "+c.opts.Namespace, err)
	}
	_, err = service.RegisterNamespace(ctx, &workflowservice.RegisterNamespaceRequest{
		Namespace:                        c.opts.Namespace,
		Description:                      "Rollouts of Sluice",
		WorkflowExecutionRetentionPeriod: durationpb.New(retention),
	})
	var exists *serviceerror.NamespaceAlreadyExists
	switch {
	case errors.As(err, &exists):
	case err != nil:
		return p, c.notAdmin(err, fmt.Sprintf("temporal operator namespace create --namespace %s --retention %s", c.opts.Namespace, retention))
	default:
		p.Result = resultCreated
	}
	return p, nil
}

// ensureAttributes registers what is missing. A namespace that is new takes some
// seconds to be known everywhere, which is waited for.
func (c *Client) ensureAttributes(ctx context.Context, fresh bool) ([]Prepared, error) {
	const newNamespaceTimeout = 30 * time.Second
	limited, cancel := context.WithTimeout(ctx, newNamespaceTimeout)
	defer cancel()
	for {
		prepared, err := c.registerAttributes(ctx)
		var unknown *serviceerror.NamespaceNotFound
		if !fresh || !errors.As(err, &unknown) || !pause(limited, c.retry) {
			return prepared, err
		}
	}
}

func (c *Client) registerAttributes(ctx context.Context) ([]Prepared, error) {
	types, err := c.listAttributes(ctx)
	if err != nil {
		return nil, c.explain("listing the search attributes of Temporal namespace "+c.opts.Namespace, err)
	}
	if wrong := compareAttributes(types).wrong; len(wrong) > 0 {
		return nil, fmt.Errorf("search attributes of Temporal namespace %s have another type than ours (%s): remove them, or use another namespace",
			c.opts.Namespace, strings.Join(wrong, ", "))
	}
	missing := map[string]enumspb.IndexedValueType{}
	prepared := make([]Prepared, 0, len(wanted))
	for _, key := range wanted {
		p := Prepared{What: fmt.Sprintf("search attribute %s (%s)", key.GetName(), key.GetValueType()), Result: resultExisting}
		if _, known := types[key.GetName()]; !known {
			missing[key.GetName()] = key.GetValueType()
			p.Result = resultCreated
		}
		prepared = append(prepared, p)
	}
	if len(missing) == 0 {
		return prepared, nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err = c.temporal.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
		Namespace: c.opts.Namespace, SearchAttributes: missing,
	})
	if err != nil {
		return nil, c.notAdmin(err, attributeCommand(c.opts.Namespace, missing))
	}
	c.forgetAttributes()
	return prepared, nil
}

// attributeCommand is what an administrator can run instead.
func attributeCommand(namespace string, missing map[string]enumspb.IndexedValueType) string {
	var b strings.Builder
	fmt.Fprintf(&b, "temporal operator search-attribute create --namespace %s", namespace)
	for _, key := range wanted {
		if typ, ok := missing[key.GetName()]; ok {
			fmt.Fprintf(&b, " --name %s --type %s", key.GetName(), typ)
		}
	}
	return b.String()
}

// notAdmin says what to do where the connection may not prepare a namespace.
func (c *Client) notAdmin(err error, command string) error {
	const anyway = "Rollouts work without it, but cannot be searched for by phase"
	var denied *serviceerror.PermissionDenied
	var unimplemented *serviceerror.Unimplemented
	switch {
	case c.isCloud(), errors.As(err, &unimplemented):
		return fmt.Errorf("preparing Temporal namespace %s: Temporal Cloud does this in its console or with tcld:\n  %s\n%s: %w",
			c.opts.Namespace, cloudCommand(c.opts.Namespace), anyway, err)
	case errors.As(err, &denied):
		return fmt.Errorf("preparing Temporal namespace %s needs an administrator, who may run:\n  %s\n%s: %w",
			c.opts.Namespace, command, anyway, err)
	}
	return c.explain("preparing Temporal namespace "+c.opts.Namespace, err)
}

// isCloud says that the address is one of Temporal Cloud.
func (c *Client) isCloud() bool {
	host, _, _ := strings.Cut(c.opts.Address, ":")
	return strings.HasSuffix(host, ".tmprl.cloud") || strings.HasSuffix(host, ".api.temporal.io")
}

func cloudCommand(namespace string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "tcld namespace search-attributes add --namespace %s", namespace)
	for _, key := range wanted {
		fmt.Fprintf(&b, " --sa %s=%s", key.GetName(), key.GetValueType())
	}
	return b.String()
}
