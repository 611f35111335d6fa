// Package types describes what S3 answers.
package types

// CommonPrefix is a folder in a listing.
type CommonPrefix struct{ Prefix *string }

// Object is an object in a listing.
type Object struct{ Key *string }

// NoSuchBucket says that a bucket does not exist.
type NoSuchBucket struct{}

func (*NoSuchBucket) Error() string { return "no such bucket" }

// NoSuchKey says that an object does not exist.
type NoSuchKey struct{}

func (*NoSuchKey) Error() string { return "no such key" }
