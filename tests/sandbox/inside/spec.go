// Package inside is the half of a sandbox that runs in its namespaces: process
// 1, which sets the network up and reaps, and the supervisor, which runs the
// parts, forwards connections from outside, and answers the control socket.
// The outer half, package outside, starts both from its own binary.
package inside

import (
	"fmt"
	"net/netip"
	"os"

	"sluice.dev/sluice/tests/sandbox/layout"
	"sluice.dev/sluice/tests/sandbox/proc"
)

// Spec is everything that the inner half is told by the outer.
type Spec struct {
	Dir layout.Dir `json:"dir"`
	// Networks are made local: all their addresses can be listened on.
	Networks []netip.Prefix `json:"networks"`
	Parts    []proc.Part    `json:"parts"`
	// Forwards belong to the listeners that are handed over, in this order.
	Forwards []Forward `json:"forwards,omitempty"`
	// Env is added to the environment of commands run inside.
	Env []string `json:"env,omitempty"`
}

// Forward says where connections to an outer listener are copied to.
type Forward struct {
	Name string `json:"name"`
	// Targets are addresses inside, host:port, which take turns.
	Targets []string `json:"targets"`
}

// The arguments that make a binary which calls Main play a role of the inner
// half. They are followed by the sandbox's folder.
const (
	roleInit      = "sandbox-inside-init"
	roleSupervise = "sandbox-inside-supervise"
)

// The files that are handed to the inner half, behind the standard streams.
const (
	lifelineFD      = 3 // process 1 only
	initListenerFD  = 4
	superListenerFD = 3
)

// InitArgs returns the arguments with which a binary that calls Main becomes
// process 1 of a sandbox. Its extra files are the end of a pipe that it ends
// with, then the listeners of the spec's forwards.
func InitArgs(dir layout.Dir) []string {
	return []string{roleInit, string(dir)}
}

// Tasks returns the functions that the spec's tasks name.
type Tasks func(spec Spec) map[string]proc.Task

// Main plays the role that the arguments (without the program's name) ask
// for, and returns its exit code. It returns false if they ask for none.
// A main function, or a test's, calls it first and exits with the code.
func Main(args []string, tasks Tasks) (code int, played bool) {
	if len(args) != 2 {
		return 0, false
	}
	var play func(Spec, Tasks) (int, error)
	switch args[0] {
	case roleInit:
		play = runInit
	case roleSupervise:
		play = supervise
	default:
		return 0, false
	}
	var spec Spec
	err := layout.ReadJSON(layout.Dir(args[1]).Spec(), &spec)
	if err == nil {
		code, err = play(spec, tasks)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "sluice-sandbox:", err)
		code = max(code, 1)
	}
	return code, true
}
