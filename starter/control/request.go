package control

import (
	"context"

	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"
)

// requestIDKey is the key of a request ID in a context.
type requestIDKey struct{}

func withRequestID(ctx context.Context, id string) context.Context {
	if id == "" {
		return ctx
	}
	return context.WithValue(ctx, requestIDKey{}, id)
}

// Prepare lets the starts of a connection that is made with these options carry
// the request IDs of StartOptions: the SDK itself gives every start a new one.
func Prepare(options *client.Options) {
	options.ConnectionOptions.DialOptions = append(options.ConnectionOptions.DialOptions, grpc.WithChainUnaryInterceptor(setRequestID))
}

func setRequestID(ctx context.Context, method string, request, reply any, connection *grpc.ClientConn, call grpc.UnaryInvoker, options ...grpc.CallOption) error {
	start, ok := request.(*workflowservice.StartWorkflowExecutionRequest)
	if id, has := ctx.Value(requestIDKey{}).(string); ok && has {
		start.RequestId = id
	}
	return call(ctx, method, request, reply, connection, options...)
}
