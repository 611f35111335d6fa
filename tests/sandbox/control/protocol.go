// Package control is the doorway into a running sandbox: a Unix socket in its
// folder over which commands are run inside its namespaces and its parts are
// looked at, stopped and started. The file system is shared, so the socket
// is reachable from outside although the network is not.
//
// A client sends one Request as a line of JSON, for "exec" with its standard
// streams as file descriptors; the server answers with Response lines. A
// client that goes away takes the command that it runs with it.
package control

import (
	"encoding/json"

	"sluice.dev/sluice/tests/sandbox/proc"
)

// The operations of a Request.
const (
	OpStatus = "status"
	OpWatch  = "watch"
	OpExec   = "exec"
	OpSignal = "signal"
	OpStop   = "stop"
	OpStart  = "start"
	OpFreeze = "freeze"
	OpThaw   = "thaw"
)

// Request asks the supervisor for one thing.
type Request struct {
	Op string `json:"op"`
	// Part names the part for stop, start, freeze and thaw.
	Part string `json:"part,omitempty"`
	// Kill makes stop send SIGKILL at once.
	Kill bool `json:"kill,omitempty"`
	// Exec is the command for exec.
	Exec *Exec `json:"exec,omitempty"`
	// PID and Signal are for signal, and for the lines that follow an exec
	// (which are for the command's process).
	PID    int `json:"pid,omitempty"`
	Signal int `json:"signal,omitempty"`
}

// Exec is a command to run inside the sandbox.
type Exec struct {
	Args []string `json:"args"`
	// Env is the whole environment, to which the sandbox adds its own names.
	Env []string `json:"env,omitempty"`
	Dir string   `json:"dir,omitempty"`
}

// Response is one line of an answer.
type Response struct {
	// Error says why the request failed; nothing follows it.
	Error string `json:"error,omitempty"`
	// Done ends the answer to a request that has no other result.
	Done bool `json:"done,omitempty"`
	// PID is the started command's process inside.
	PID int `json:"pid,omitempty"`
	// Exit is how the command ended.
	Exit *Exit `json:"exit,omitempty"`
	// Status answers status and watch.
	Status *proc.Status `json:"status,omitempty"`
}

// Exit is how a command ended.
type Exit struct {
	// Code is the exit code, or 128 plus the number of the signal.
	Code int `json:"code"`
	// Signal is the signal's number, 0 if the command exited.
	Signal int `json:"signal,omitempty"`
}

// line encodes a message as one line.
func line(message any) ([]byte, error) {
	text, err := json.Marshal(message)
	if err != nil {
		return nil, err
	}
	return append(text, '\n'), nil
}
