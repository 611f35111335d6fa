// Package cli is the sluice command line tool: one verb per file, each with its
// options, and one printer. A command gets everything from outside through a
// Host, so that tests run it in process.
package cli
