package main

import (
	"os"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/tests/sandbox"
	"sluice.dev/sluice/tests/sandbox/layout"
)

// which says which sandbox a command is about.
type which struct {
	name, dir string
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "sluice-sandbox",
		Short: "A real Kubernetes with gateway, Temporal and Prometheus on one machine",
		Long: `A real Kubernetes with a gateway, Temporal and Prometheus on one machine, without
a container engine, as root or as an ordinary user. Everything runs in
namespaces of its own and ends with the process that started it.`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	var w which
	flags := root.PersistentFlags()
	flags.StringVar(&w.name, "name", layout.DefaultName, "name of the sandbox")
	flags.StringVar(&w.dir, "dir", os.Getenv("SLUICE_SANDBOX_DIR"),
		"folder of the sandbox; default $SLUICE_SANDBOX_DIR, else one of its name in the user's state folder")
	root.AddCommand(newUp(&w), newDown(&w), newStatus(&w), newExec(&w), newBuild(), newBenchStart())
	root.AddCommand(newPartCommands(&w)...)
	return root
}

// folder returns the sandbox's folder.
func (w *which) folder() (layout.Dir, error) {
	if w.dir != "" {
		return layout.Dir(w.dir).Abs()
	}
	return layout.Default(w.name)
}

// attach returns the running sandbox.
func (w *which) attach() (*sandbox.Sandbox, error) {
	dir, err := w.folder()
	if err != nil {
		return nil, err
	}
	return sandbox.Attach(string(dir))
}
