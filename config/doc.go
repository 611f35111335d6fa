// Package config holds what people write: the Rollout document in every
// version that is accepted, its defaults and its validation. It parses
// strictly, reports all errors of a document at once with field path and
// remedy, and converts to one internal form, Rollout. It talks to nothing.
package config
