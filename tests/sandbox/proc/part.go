// Package proc runs the parts of a sandbox: it starts programs in the order
// of their needs, tells when each is ready, and stops, kills, freezes and
// starts them again on command. A part that ends by itself is reported, never
// restarted: a test must see what happened.
package proc

import "fmt"

// Part says how one part of the sandbox is run: a program, or a task of the
// supervisor's own that is done once.
type Part struct {
	// Name is unique in a sandbox, for example "apiserver" or "traefik-1".
	Name string `json:"name"`
	// Path is the program. Empty for a task.
	Path string   `json:"path,omitempty"`
	Args []string `json:"args,omitempty"`
	// Env is added to the supervisor's environment, as NAME=VALUE.
	Env []string `json:"env,omitempty"`
	// Log is the file that the program's output is appended to.
	Log string `json:"log,omitempty"`
	// Task names a function handed to New, which is run instead of a program.
	Task string `json:"task,omitempty"`
	// Needs names the parts that must be ready before this one is started.
	Needs []string `json:"needs,omitempty"`
	// Ready tells when the program is ready. Without it the program is ready
	// as soon as it runs.
	Ready *Probe `json:"ready,omitempty"`
}

// check reports parts that could never be started.
func check(parts []Part, tasks map[string]Task) error {
	known := make(map[string]int, len(parts))
	for i, p := range parts {
		if _, twice := known[p.Name]; twice {
			return fmt.Errorf("part %s is named twice", p.Name)
		}
		known[p.Name] = i
		if _, ok := tasks[p.Task]; p.Task != "" && !ok {
			return fmt.Errorf("part %s: unknown task %q", p.Name, p.Task)
		}
		if (p.Task == "") == (p.Path == "") {
			return fmt.Errorf("part %s must have a program or a task, and not both", p.Name)
		}
		for _, need := range p.Needs {
			// Only what stands before may be needed, which rules out cycles.
			if _, ok := known[need]; !ok || need == p.Name {
				return fmt.Errorf("part %s needs %s, which is not named before it", p.Name, need)
			}
		}
	}
	return nil
}
