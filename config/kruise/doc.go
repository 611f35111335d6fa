// Package kruise holds what both accepted versions of the Kruise Rollout
// document have in common: metadata, references, matches on requests. The
// types describe what may be written, not what is supported; package config
// validates them and converts them to its internal form.
package kruise
