package main

import (
	"context"
	"errors"
	"os"
	"os/signal"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"sluice.dev/sluice/tests/sandbox"
)

// handedOn are the signals that exec hands on to the command inside.
var handedOn = []os.Signal{
	unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2, unix.SIGWINCH,
}

func newExec(w *which) *cobra.Command {
	var env []string
	cmd := &cobra.Command{
		Use:   "exec -- COMMAND [ARGUMENT...]",
		Short: "Run a command inside a sandbox",
		Long: `Runs a command inside a sandbox: on its network and among its processes, with the
machine's files. KUBECONFIG, TEMPORAL_ADDRESS and SLUICE_SANDBOX_* are set.
Signals are handed on, the exit code is the command's, and the command is
killed if this process is.`,
		Example: "  sluice-sandbox exec -- kubectl get pods\n  sluice-sandbox exec -- sh -c 'curl $SLUICE_SANDBOX_GATEWAY_URL/version'",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			s, err := w.attach()
			if err != nil {
				return err
			}
			return runInside(s, env, args)
		},
	}
	cmd.Flags().StringArrayVar(&env, "env", nil, "NAME=VALUE to add to the environment")
	// What follows the command's name is the command's.
	cmd.Flags().SetInterspersed(false)
	return cmd
}

// runInside runs the command. Its context is not the program's, which ends
// with the first signal: signals are for the command.
func runInside(s *sandbox.Sandbox, env, args []string) error {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, handedOn...)
	defer signal.Stop(signals)
	cmd := s.Command(context.Background(), args[0], args[1:]...)
	cmd.Env = env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() {
		for sig := range signals {
			// The only error possible is that the command has just ended.
			_ = cmd.Signal(sig.(unix.Signal))
		}
	}()
	err := cmd.Wait()
	var failed *sandbox.ExitError
	if errors.As(err, &failed) {
		return exitCode(failed.Code)
	}
	return err
}
