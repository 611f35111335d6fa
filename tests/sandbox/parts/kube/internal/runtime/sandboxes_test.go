package runtime

import (
	"context"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

func TestSandboxLife(t *testing.T) {
	p := newPod(t)
	id := p.create("exec sleep 1000")
	p.start(id)
	s, err := p.PodSandboxStatus(t.Context(), p.sandbox, false)
	require.NoError(t, err)
	require.Equal(t, runtimeapi.PodSandboxState_SANDBOX_READY, s.Status.State)
	require.Equal(t, "10.244.1.1", s.Status.Network.Ip)

	require.NoError(t, p.StopPodSandbox(t.Context(), p.sandbox))
	require.Equal(t, int32(137), p.status(id).ExitCode, "stopping a sandbox kills its containers")
	s, err = p.PodSandboxStatus(t.Context(), p.sandbox, false)
	require.NoError(t, err)
	require.Equal(t, runtimeapi.PodSandboxState_SANDBOX_NOTREADY, s.Status.State)
	require.Empty(t, p.addresses.used)
	_, err = p.CreateContainer(t.Context(), p.sandbox, &runtimeapi.ContainerConfig{
		Metadata: &runtimeapi.ContainerMetadata{Name: "main"}, Image: &runtimeapi.ImageSpec{UserSpecifiedImage: "app"},
	}, p.config)
	require.ErrorContains(t, err, "is stopped")

	require.NoError(t, p.RemovePodSandbox(t.Context(), p.sandbox))
	_, err = p.PodSandboxStatus(t.Context(), p.sandbox, false)
	require.ErrorContains(t, err, "NotFound")
	_, err = p.ContainerStatus(t.Context(), id, false)
	require.ErrorContains(t, err, "NotFound")
	require.NoError(t, p.RemovePodSandbox(t.Context(), p.sandbox), "removing again is fine")
}

func TestHostNetwork(t *testing.T) {
	p := newPod(t)
	config := &runtimeapi.PodSandboxConfig{
		Metadata: &runtimeapi.PodSandboxMetadata{Name: "host", Uid: "u2"},
		Linux: &runtimeapi.LinuxPodSandboxConfig{SecurityContext: &runtimeapi.LinuxSandboxSecurityContext{
			NamespaceOptions: &runtimeapi.NamespaceOption{Network: runtimeapi.NamespaceMode_NODE},
		}},
	}
	id, err := p.RunPodSandbox(t.Context(), config, "")
	require.NoError(t, err)
	s, err := p.PodSandboxStatus(t.Context(), id, false)
	require.NoError(t, err)
	require.Empty(t, s.Status.Network.Ip)
	env := p.environment(&container{config: &runtimeapi.ContainerConfig{}}, p.sandboxes[id])
	require.Contains(t, env, "POD_IP=192.0.2.10")
}

func TestFilters(t *testing.T) {
	p := newPod(t)
	created := p.create("exit 0")
	running := p.create("exec sleep 1000")
	p.start(running)
	tests := map[string]struct {
		filter *runtimeapi.ContainerFilter
		want   []string
	}{
		"none":          {nil, []string{created, running}},
		"by ID":         {&runtimeapi.ContainerFilter{Id: created}, []string{created}},
		"by sandbox":    {&runtimeapi.ContainerFilter{PodSandboxId: "other"}, nil},
		"by state":      {&runtimeapi.ContainerFilter{State: &runtimeapi.ContainerStateValue{State: runtimeapi.ContainerState_CONTAINER_RUNNING}}, []string{running}},
		"by label":      {&runtimeapi.ContainerFilter{LabelSelector: map[string]string{"uid": "u1"}}, []string{created, running}},
		"another label": {&runtimeapi.ContainerFilter{LabelSelector: map[string]string{"uid": "u2"}}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			list, err := p.ListContainers(t.Context(), test.filter)
			require.NoError(t, err)
			var ids []string
			for _, c := range list {
				ids = append(ids, c.Id)
			}
			require.ElementsMatch(t, test.want, ids)
		})
	}
	list, err := p.ListPodSandbox(t.Context(), &runtimeapi.PodSandboxFilter{LabelSelector: map[string]string{"uid": "u1"}})
	require.NoError(t, err)
	require.Len(t, list, 1)
	list, err = p.ListPodSandbox(t.Context(), &runtimeapi.PodSandboxFilter{State: &runtimeapi.PodSandboxStateValue{State: runtimeapi.PodSandboxState_SANDBOX_NOTREADY}})
	require.NoError(t, err)
	require.Empty(t, list)
}

func TestShutdown(t *testing.T) {
	p := newPod(t)
	running, later := p.create("exec sleep 1000"), p.create("exit 0")
	p.start(running)
	p.Shutdown(context.Background())
	require.Equal(t, int32(137), p.status(running).ExitCode)
	require.ErrorContains(t, p.StartContainer(t.Context(), later), "the node is ending")
}

func TestRemoveLeftovers(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.MkdirAll(containersDir(root)+"/abc", 0o755))
	left, other := exec.Command("sleep", "1000"), exec.Command("sleep", "1000")
	left.Env = []string{ownerVariable + "=" + root}
	other.Env = []string{ownerVariable + "=" + root + "-2"}
	require.NoError(t, left.Start())
	require.NoError(t, other.Start())
	t.Cleanup(func() { _ = other.Process.Kill(); _ = other.Wait() })

	require.NoError(t, RemoveLeftovers(root))
	ended := make(chan error, 1)
	go func() { ended <- left.Wait() }()
	select {
	case err := <-ended:
		require.ErrorContains(t, err, "killed")
	case <-time.After(20 * time.Second):
		t.Fatal("the leftover still runs")
	}
	require.NoError(t, other.Process.Signal(syscall.Signal(0)), "a process of another node lives on")
	require.NoDirExists(t, containersDir(root))
}
