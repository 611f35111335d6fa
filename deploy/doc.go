// Package deploy is what an administrator applies: manifests, roles and
// definitions. Its tests compare them with the programs.
package deploy
