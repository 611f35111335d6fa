// Package s3 has the names of the S3 client that Temporal's archiver refers to.
// The sandbox archives nothing.
package s3

import (
	"context"
	"errors"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// ErrNoS3 is what every call answers.
var ErrNoS3 = errors.New("using S3: the sandbox's Temporal is built without it; archive to the file store instead")

type (
	// Options are the settings of a Client.
	Options struct {
		BaseEndpoint *string
		UsePathStyle bool
	}
	// Client would talk to the service.
	Client struct{}

	// HeadBucketInput names a bucket.
	HeadBucketInput struct{ Bucket *string }
	// HeadBucketOutput is empty.
	HeadBucketOutput struct{}
	// HeadObjectInput names an object.
	HeadObjectInput struct{ Bucket, Key *string }
	// HeadObjectOutput is empty.
	HeadObjectOutput struct{}
	// PutObjectInput is an object to write.
	PutObjectInput struct {
		Bucket, Key *string
		Body        io.Reader
	}
	// PutObjectOutput is empty.
	PutObjectOutput struct{}
	// GetObjectInput names an object.
	GetObjectInput struct{ Bucket, Key *string }
	// GetObjectOutput is an object that was read.
	GetObjectOutput struct{ Body io.ReadCloser }
	// ListObjectsV2Input limits a listing.
	ListObjectsV2Input struct {
		Bucket, Prefix, Delimiter, ContinuationToken *string
		MaxKeys                                      *int32
	}
	// ListObjectsV2Output is one page of a listing.
	ListObjectsV2Output struct {
		CommonPrefixes        []types.CommonPrefix
		Contents              []types.Object
		IsTruncated           *bool
		NextContinuationToken *string
	}
)

// NewFromConfig returns a client of which every call fails.
func NewFromConfig(aws.Config, ...func(*Options)) *Client { return &Client{} }

// HeadBucket always answers [ErrNoS3].
func (*Client) HeadBucket(context.Context, *HeadBucketInput, ...func(*Options)) (*HeadBucketOutput, error) {
	return nil, ErrNoS3
}

// HeadObject always answers [ErrNoS3].
func (*Client) HeadObject(context.Context, *HeadObjectInput, ...func(*Options)) (*HeadObjectOutput, error) {
	return nil, ErrNoS3
}

// PutObject always answers [ErrNoS3].
func (*Client) PutObject(context.Context, *PutObjectInput, ...func(*Options)) (*PutObjectOutput, error) {
	return nil, ErrNoS3
}

// GetObject always answers [ErrNoS3].
func (*Client) GetObject(context.Context, *GetObjectInput, ...func(*Options)) (*GetObjectOutput, error) {
	return nil, ErrNoS3
}

// ListObjectsV2 always answers [ErrNoS3].
func (*Client) ListObjectsV2(context.Context, *ListObjectsV2Input, ...func(*Options)) (*ListObjectsV2Output, error) {
	return nil, ErrNoS3
}
