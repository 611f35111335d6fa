package harness

import (
	"context"
	"os"
	"os/exec"
	"strings"
)

// Kubectl runs a kubectl outside the sandbox as its administrator, with what it
// reads from its standard input. Its error says that it could not be run; its
// exit code is in the output.
func (b *Bed) Kubectl(ctx context.Context, path, namespace, stdin string, args ...string) (Output, error) {
	cmd := b.KubectlCommand(ctx, path, namespace, args...)
	cmd.Stdin = strings.NewReader(stdin)
	return outputOf(cmd)
}

// KubectlCommand prepares a kubectl for a run outside the sandbox.
func (b *Bed) KubectlCommand(ctx context.Context, path, namespace string, args ...string) *exec.Cmd {
	dir := b.Sandbox.Dir()
	cmd := exec.CommandContext(ctx, path, append([]string{"--namespace", namespace, "--cache-dir", dir.Join("kubectl-cache")}, args...)...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+dir.Kubeconfig())
	return cmd
}
