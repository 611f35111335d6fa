package control

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	sdklog "go.temporal.io/sdk/log"
)

// How long a client waits where the options do not say.
const (
	// defaultAnswerTimeout is how long a worker has to answer a message or a
	// query; a worker that is there answers in milliseconds.
	defaultAnswerTimeout = 5 * time.Second
	// defaultAbortTimeout is shorter: an emergency does not wait for a worker.
	defaultAbortTimeout = 2 * time.Second
	// callTimeout bounds a call that needs the Temporal server alone.
	callTimeout = 10 * time.Second
	// dialTimeout bounds the first contact.
	dialTimeout = 5 * time.Second
)

// Options of a Client.
type Options struct {
	// Address of Temporal and AddressFrom, the setting that it came from; both
	// are for messages.
	Address     string
	AddressFrom string
	// Namespace of Temporal.
	Namespace string
	// Converter encodes and decodes payloads; the SDK's default where nil. It
	// has to be the one of the Temporal client.
	Converter converter.DataConverter
	// AnswerTimeout is how long a worker has to answer; 5 s where zero.
	AnswerTimeout time.Duration
	// AbortTimeout is the same for an abort; 2 s where zero.
	AbortTimeout time.Duration
}

// Client controls rollouts. It is safe for use by many goroutines.
type Client struct {
	temporal client.Client
	opts     Options
	// retry is the first pause while Temporal is away; later ones are longer.
	retry time.Duration

	mu         sync.Mutex
	attributes *attributes
}

// New returns a Client that uses a connection which somebody else made and
// closes.
func New(temporal client.Client, opts Options) *Client {
	if opts.Converter == nil {
		opts.Converter = converter.GetDefaultDataConverter()
	}
	if opts.AnswerTimeout <= 0 {
		opts.AnswerTimeout = defaultAnswerTimeout
	}
	if opts.AbortTimeout <= 0 {
		opts.AbortTimeout = defaultAbortTimeout
	}
	return &Client{temporal: temporal, opts: opts, retry: firstRetry}
}

// Dial connects to Temporal and returns a Client that has to be closed. from
// names the setting that the address came from. The error is Unreachable where
// nobody answers.
func Dial(ctx context.Context, options client.Options, from string) (*Client, error) {
	if options.Logger == nil {
		// The SDK tells of every retry; a person wants the outcome.
		options.Logger = sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))
	}
	Prepare(&options)
	c := New(nil, Options{
		Address: options.HostPort, AddressFrom: from, Namespace: options.Namespace, Converter: options.DataConverter,
	})
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	temporal, err := client.DialContext(ctx, options)
	if err != nil {
		return nil, c.dialError(err)
	}
	c.temporal = temporal
	return c, nil
}

// Close ends the connection.
func (c *Client) Close() { c.temporal.Close() }
