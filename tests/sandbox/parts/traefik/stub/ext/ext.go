// Package ext is the place where other editions of Traefik hang extra fields
// into its dynamic configuration. The gateway of the sandbox has none.
package ext

// HTTP adds nothing to the HTTP section of a dynamic configuration.
type HTTP struct{}

// Router adds nothing to a router of a dynamic configuration.
type Router struct{}
