package runtime

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// defaultPath is the PATH of a container that does not set one.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// containerCommand returns the command of a container in its own working
// folder. As with an image, the container's command replaces the image's
// executable and its args follow; the file system is this machine's.
func (r *Runtime) containerCommand(c *container, s *sandbox) (*exec.Cmd, error) {
	dir := filepath.Join(containersDir(r.root), c.id)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("making the working folder of container %s: %w", c.config.Metadata.Name, err)
	}
	argv := append([]string{c.image.Binary}, c.config.Args...)
	if len(c.config.Command) > 0 {
		argv = append(append([]string{}, c.config.Command...), c.config.Args...)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = dir, r.environment(c, s)
	return cmd, nil
}

// execCommand returns a command that runs inside a container: here, with its
// environment and in its folder.
func (r *Runtime) execCommand(ctx context.Context, c *container, s *sandbox, argv []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = filepath.Join(containersDir(r.root), c.id), r.environment(c, s)
	return cmd
}

// environment returns the variables of a container. What the pod sets itself
// comes last and wins, as it does over those of an image.
func (r *Runtime) environment(c *container, s *sandbox) []string {
	address := r.nodeIP
	if s.address.IsValid() {
		address = s.address.String()
	}
	env := []string{
		"PATH=" + defaultPath,
		"HOSTNAME=" + s.config.Hostname,
		"POD_IP=" + address,
		"IMAGE=" + c.image.Ref,
		"IMAGE_TAG=" + c.image.Tag,
	}
	env = append(env, envOf(c.config.Envs)...)
	return append(env, ownerVariable+"="+r.root)
}

func envOf(pairs []*runtimeapi.KeyValue) []string {
	env := make([]string, 0, len(pairs))
	for _, pair := range pairs {
		env = append(env, pair.Key+"="+string(pair.Value))
	}
	return env
}
