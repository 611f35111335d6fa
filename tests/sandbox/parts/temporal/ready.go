package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
)

// readyTimeout bounds the wait for the server's first answer.
const readyTimeout = 30 * time.Second

// prepare waits until every namespace answers and registers the search
// attributes that it lacks: those of a namespace that an earlier start made.
func prepare(ctx context.Context, opts options) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	for _, ns := range opts.namespaces {
		if err := prepareNamespace(ctx, opts, ns); err != nil {
			return fmt.Errorf("preparing namespace %q: %w", ns, err)
		}
	}
	return nil
}

func prepareNamespace(ctx context.Context, opts options, ns string) error {
	c, err := client.NewLazyClient(client.Options{
		HostPort:  dialable(opts.grpc),
		Namespace: ns,
		Logger:    sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	if err != nil {
		return err
	}
	defer c.Close()
	have, err := listAttributes(ctx, c, ns)
	if err != nil {
		return err
	}
	missing := map[string]enumspb.IndexedValueType{}
	for name, want := range opts.attributes {
		got, ok := have[name]
		if !ok {
			missing[name] = want
		} else if got != want {
			return fmt.Errorf("search attribute %s is of type %s in %s, not %s: give another name or another --db", name, got, opts.db, want)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	_, err = c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
		Namespace:        ns,
		SearchAttributes: missing,
	})
	if err != nil {
		return fmt.Errorf("registering search attributes: %w", err)
	}
	return nil
}

// listAttributes asks until the server answers or ctx ends: the first answer is
// also the proof that it is up.
func listAttributes(ctx context.Context, c client.Client, ns string) (map[string]enumspb.IndexedValueType, error) {
	for {
		resp, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: ns})
		if err == nil {
			return resp.GetCustomAttributes(), nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for the server: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
