// Package storage has the names of Google's storage client that Temporal's
// archiver refers to. The sandbox archives nothing, and the real client would
// compile gRPC's xDS, Envoy's API and Google's monitoring along with it.
package storage

import (
	"context"
	"errors"

	"google.golang.org/api/option"
)

// ErrNoStorage is what every call answers.
var ErrNoStorage = errors.New("using Google storage: the sandbox's Temporal is built without it; archive to the file store instead")

// ScopeFullControl is the permission that the archiver asks for.
const ScopeFullControl = "https://www.googleapis.com/auth/devstorage.full_control"

type (
	// Query limits a listing of objects.
	Query struct{ Prefix string }
	// BucketAttrs describes a bucket.
	BucketAttrs struct{ Name string }
	// ObjectAttrs describes an object.
	ObjectAttrs struct{ Name string }
	// Client would talk to the service; none is ever made.
	Client struct{}
	// BucketHandle names a bucket.
	BucketHandle struct{}
	// ObjectHandle names an object.
	ObjectHandle struct{}
	// ObjectIterator lists objects.
	ObjectIterator struct{}
	// Writer writes an object.
	Writer struct{}
	// Reader reads an object.
	Reader struct{}
)

// NewClient always answers [ErrNoStorage].
func NewClient(context.Context, ...option.ClientOption) (*Client, error) {
	return nil, ErrNoStorage
}

// Bucket returns a handle of which every call fails.
func (*Client) Bucket(string) *BucketHandle { return &BucketHandle{} }

// Object returns a handle of which every call fails.
func (*BucketHandle) Object(string) *ObjectHandle { return &ObjectHandle{} }

// Objects returns an iterator of which every call fails.
func (*BucketHandle) Objects(context.Context, *Query) *ObjectIterator { return &ObjectIterator{} }

// Attrs always answers [ErrNoStorage].
func (*BucketHandle) Attrs(context.Context) (*BucketAttrs, error) { return nil, ErrNoStorage }

// Attrs always answers [ErrNoStorage].
func (*ObjectHandle) Attrs(context.Context) (*ObjectAttrs, error) { return nil, ErrNoStorage }

// NewWriter returns a writer of which every call fails.
func (*ObjectHandle) NewWriter(context.Context) *Writer { return &Writer{} }

// NewReader always answers [ErrNoStorage].
func (*ObjectHandle) NewReader(context.Context) (*Reader, error) { return nil, ErrNoStorage }

// Next always answers [ErrNoStorage].
func (*ObjectIterator) Next() (*ObjectAttrs, error) { return nil, ErrNoStorage }

// Write always answers [ErrNoStorage].
func (*Writer) Write([]byte) (int, error) { return 0, ErrNoStorage }

// Close always answers [ErrNoStorage].
func (*Writer) Close() error { return ErrNoStorage }

// CloseWithError always answers [ErrNoStorage].
func (*Writer) CloseWithError(error) error { return ErrNoStorage }

// Read always answers [ErrNoStorage].
func (*Reader) Read([]byte) (int, error) { return 0, ErrNoStorage }

// Close always answers [ErrNoStorage].
func (*Reader) Close() error { return ErrNoStorage }
