package runtime

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
	utilexec "k8s.io/utils/exec"
)

// CreateContainer records a container; StartContainer makes the process.
func (r *Runtime) CreateContainer(_ context.Context, sandboxID string, config *runtimeapi.ContainerConfig, sandboxConfig *runtimeapi.PodSandboxConfig) (string, error) {
	image, err := r.images.of(config.Image)
	if err != nil {
		return "", err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.sandboxes[sandboxID]
	if s == nil {
		return "", notFound("sandbox", sandboxID)
	}
	if s.stopped {
		return "", status.Errorf(codes.FailedPrecondition, "creating container %s: sandbox %s is stopped", config.Metadata.Name, sandboxID)
	}
	c := &container{id: newID(), sandboxID: sandboxID, config: config, image: image, createdAt: r.now()}
	if sandboxConfig.GetLogDirectory() != "" && config.LogPath != "" {
		c.logPath = filepath.Join(sandboxConfig.LogDirectory, config.LogPath)
	}
	r.containers[c.id] = c
	return c.id, nil
}

// StartContainer starts the process. One that cannot be started ends with exit
// code 128 and reason StartError, as under other runtimes.
func (r *Runtime) StartContainer(_ context.Context, id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.containers[id]
	if c == nil {
		return notFound("container", id)
	}
	if c.state() != runtimeapi.ContainerState_CONTAINER_CREATED {
		return status.Errorf(codes.FailedPrecondition, "starting container %s: it is %s", c.config.Metadata.Name, c.state())
	}
	defer r.changed(c.sandboxID, id)
	p, err := r.launch(c)
	if err != nil {
		c.cannotStart(r.now(), err)
		return status.Errorf(codes.Unknown, "starting container %s: %v", c.config.Metadata.Name, err)
	}
	c.process, c.startedAt = p, r.now()
	p.watch(func(e exit) { r.ended(id, e) })
	return nil
}

func (r *Runtime) launch(c *container) (*process, error) {
	s := r.sandboxes[c.sandboxID]
	if s == nil || s.stopped {
		return nil, fmt.Errorf("its sandbox %s is gone", c.sandboxID)
	}
	if r.closed {
		return nil, errors.New("the node is ending")
	}
	cmd, err := r.containerCommand(c, s)
	if err != nil {
		return nil, err
	}
	log, err := openLog(c.logPath, r.now)
	if err != nil {
		return nil, err
	}
	p, err := startProcess(r.spawner, cmd, log)
	if err != nil {
		log.close()
		return nil, err
	}
	r.logs[c.id] = log
	return p, nil
}

func (r *Runtime) ended(id string, e exit) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if log := r.logs[id]; log != nil {
		log.close()
		delete(r.logs, id)
	}
	if c := r.containers[id]; c != nil {
		c.exited(r.now(), e)
		r.changed(c.sandboxID, id)
	}
}

// StopContainer sends the stop signal, gives the process timeout seconds to end
// and then kills it. A container that does not run or is unknown is no error.
func (r *Runtime) StopContainer(ctx context.Context, id string, timeout int64) error {
	r.mu.Lock()
	c := r.containers[id]
	if c == nil || c.state() != runtimeapi.ContainerState_CONTAINER_RUNNING {
		r.mu.Unlock()
		return nil
	}
	p, sig := c.process, stopSignal(c.config.StopSignal)
	r.mu.Unlock()
	if timeout > 0 {
		if err := p.signal(sig); err != nil {
			return err
		}
		grace := time.NewTimer(time.Duration(timeout) * time.Second)
		defer grace.Stop()
		select {
		case <-p.done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-grace.C:
		}
	}
	p.kill()
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stopSignal maps the interface's signal to the kernel's; SIGTERM when the pod
// names none or one that does not exist here.
func stopSignal(s runtimeapi.Signal) syscall.Signal {
	signals := map[runtimeapi.Signal]syscall.Signal{
		runtimeapi.Signal_SIGNAL_SIGINT:  syscall.SIGINT,
		runtimeapi.Signal_SIGNAL_SIGQUIT: syscall.SIGQUIT,
		runtimeapi.Signal_SIGNAL_SIGHUP:  syscall.SIGHUP,
		runtimeapi.Signal_SIGNAL_SIGUSR1: syscall.SIGUSR1,
		runtimeapi.Signal_SIGNAL_SIGUSR2: syscall.SIGUSR2,
		runtimeapi.Signal_SIGNAL_SIGKILL: syscall.SIGKILL,
	}
	if sig, ok := signals[s]; ok {
		return sig
	}
	return syscall.SIGTERM
}

// RemoveContainer forgets a container and removes its folder; a running one is
// killed first. An unknown one is no error.
func (r *Runtime) RemoveContainer(ctx context.Context, id string) error {
	if err := r.StopContainer(ctx, id, 0); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.containers, id)
	if err := os.RemoveAll(filepath.Join(containersDir(r.root), id)); err != nil {
		return fmt.Errorf("removing the folder of container %s: %w", id, err)
	}
	return nil
}

// ListContainers returns the containers that pass the filter.
func (r *Runtime) ListContainers(_ context.Context, filter *runtimeapi.ContainerFilter) ([]*runtimeapi.Container, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []*runtimeapi.Container
	for _, c := range r.containers {
		if c.matches(filter) {
			list = append(list, c.summary())
		}
	}
	return list, nil
}

// ContainerStatus returns the status of one container.
func (r *Runtime) ContainerStatus(_ context.Context, id string, _ bool) (*runtimeapi.ContainerStatusResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.containers[id]
	if c == nil {
		return nil, notFound("container", id)
	}
	return &runtimeapi.ContainerStatusResponse{Status: c.status()}, nil
}

// ReopenContainerLog continues the log in a new file.
func (r *Runtime) ReopenContainerLog(_ context.Context, id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	log := r.logs[id]
	if log == nil {
		return notFound("running container", id)
	}
	return log.reopen()
}

// UpdateContainerResources does nothing: processes here have no limits.
func (r *Runtime) UpdateContainerResources(context.Context, string, *runtimeapi.ContainerResources) error {
	return nil
}

// ExecSync runs a command with the container's environment, for exec probes and
// hooks. A timeout of 0 means none.
func (r *Runtime) ExecSync(ctx context.Context, id string, argv []string, timeout time.Duration) (stdout, stderr []byte, err error) {
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	cmd, err := r.execIn(ctx, id, argv)
	if err != nil {
		return nil, nil, err
	}
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	cmd.WaitDelay = drain
	if err := r.spawner.start(cmd); err != nil {
		return nil, nil, status.Errorf(codes.Unknown, "executing %q: %v", argv[0], err)
	}
	err = cmd.Wait()
	if ctx.Err() != nil {
		return nil, nil, status.Errorf(codes.DeadlineExceeded, "executing %q: no end within %s", argv[0], timeout)
	}
	if err != nil {
		err = utilexec.CodeExitError{Err: err, Code: int(exitOf(err, cmd.ProcessState).code)}
	}
	return out.Bytes(), errOut.Bytes(), err
}

func (r *Runtime) execIn(ctx context.Context, id string, argv []string) (*exec.Cmd, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.containers[id]
	if c == nil || len(argv) == 0 || c.state() != runtimeapi.ContainerState_CONTAINER_RUNNING {
		return nil, notFound("running container", id)
	}
	s := r.sandboxes[c.sandboxID]
	if s == nil {
		return nil, notFound("sandbox", c.sandboxID)
	}
	return r.execCommand(ctx, c, s, argv), nil
}
