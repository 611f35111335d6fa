package runtime

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
	utilexec "k8s.io/utils/exec"
)

// pod is a runtime with one sandbox, for tests of containers in it.
type pod struct {
	*Runtime
	t       *testing.T
	sandbox string
	config  *runtimeapi.PodSandboxConfig
}

func newPod(t *testing.T) *pod {
	t.Helper()
	root := t.TempDir()
	images, err := NewImages([]string{"app=/bin/sh"})
	require.NoError(t, err)
	addresses, err := NewAddresses("10.244.1.0/24", filepath.Join(root, "last"), time.Now)
	require.NoError(t, err)
	r, _ := New(Options{Root: root, NodeIP: "192.0.2.10", Addresses: addresses, Images: images})
	t.Cleanup(func() { r.Shutdown(context.Background()) })
	p := &pod{Runtime: r, t: t, config: &runtimeapi.PodSandboxConfig{
		Metadata: &runtimeapi.PodSandboxMetadata{Name: "demo", Namespace: "default", Uid: "u1"},
		Hostname: "demo", LogDirectory: filepath.Join(root, "logs"), Labels: map[string]string{"uid": "u1"},
	}}
	p.sandbox, err = r.RunPodSandbox(t.Context(), p.config, "")
	require.NoError(t, err)
	return p
}

// create makes a container that runs the shell script.
func (p *pod) create(script string, env ...*runtimeapi.KeyValue) string {
	p.t.Helper()
	id, err := p.CreateContainer(p.t.Context(), p.sandbox, &runtimeapi.ContainerConfig{
		Metadata: &runtimeapi.ContainerMetadata{Name: "main"}, LogPath: "main/0.log",
		Image: &runtimeapi.ImageSpec{UserSpecifiedImage: "app:v7"},
		Args:  []string{"-c", script}, Envs: env, Labels: map[string]string{"uid": "u1"},
	}, p.config)
	require.NoError(p.t, err)
	return id
}

func (p *pod) start(id string) {
	p.t.Helper()
	require.NoError(p.t, p.StartContainer(p.t.Context(), id))
}

func (p *pod) status(id string) *runtimeapi.ContainerStatus {
	p.t.Helper()
	s, err := p.ContainerStatus(p.t.Context(), id, false)
	require.NoError(p.t, err)
	return s.Status
}

// wait waits until the container's process has ended.
func (p *pod) wait(id string) *runtimeapi.ContainerStatus {
	p.t.Helper()
	p.mu.Lock()
	done := p.containers[id].process.done
	p.mu.Unlock()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		p.t.Fatal("the container does not end")
	}
	return p.status(id)
}

// waitLog waits until the container has written line.
func (p *pod) waitLog(line string) {
	p.t.Helper()
	require.Eventually(p.t, func() bool { return strings.Contains(p.log(), " F "+line+"\n") }, 20*time.Second, 2*time.Millisecond)
}

func (p *pod) log() string {
	text, err := os.ReadFile(filepath.Join(p.config.LogDirectory, "main/0.log"))
	if err != nil {
		return ""
	}
	return string(text)
}

func TestContainerLife(t *testing.T) {
	tests := map[string]struct {
		script string
		code   int32
		reason string
	}{
		"ends well":      {"exit 0", 0, "Completed"},
		"ends badly":     {"exit 7", 7, "Error"},
		"dies by signal": {"kill -SEGV $$", 139, "Error"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := newPod(t)
			id := p.create(test.script)
			require.Equal(t, runtimeapi.ContainerState_CONTAINER_CREATED, p.status(id).State)
			p.start(id)
			s := p.wait(id)
			require.Equal(t, runtimeapi.ContainerState_CONTAINER_EXITED, s.State)
			require.Equal(t, test.code, s.ExitCode)
			require.Equal(t, test.reason, s.Reason)
			require.GreaterOrEqual(t, s.FinishedAt, s.StartedAt)
			require.ErrorContains(t, p.StartContainer(t.Context(), id), "FailedPrecondition")
		})
	}
}

func TestEnvironment(t *testing.T) {
	p := newPod(t)
	id := p.create(`echo "$POD_IP $HOSTNAME $IMAGE $IMAGE_TAG $OWN"`,
		&runtimeapi.KeyValue{Key: "OWN", Value: []byte("yes")}, &runtimeapi.KeyValue{Key: "IMAGE_TAG", Value: []byte("mine")})
	p.start(id)
	p.wait(id)
	require.Contains(t, p.log(), " stdout F 10.244.1.1 demo app:v7 mine yes\n")
}

func TestStopContainer(t *testing.T) {
	p := newPod(t)
	dies := p.create("echo up; exec sleep 1000")
	p.start(dies)
	p.waitLog("up")
	require.NoError(t, p.StopContainer(t.Context(), dies, 20))
	require.Equal(t, int32(143), p.status(dies).ExitCode)
	require.NoError(t, p.StopContainer(t.Context(), dies, 20), "stopping again is fine")
	require.NoError(t, p.StopContainer(t.Context(), "unknown", 20))
}

func TestStopContainerThatIgnores(t *testing.T) {
	p := newPod(t)
	id := p.create("trap '' TERM; echo up; while :; do sleep 0.01; done")
	p.start(id)
	p.waitLog("up")
	began := time.Now()
	require.NoError(t, p.StopContainer(t.Context(), id, 1))
	require.GreaterOrEqual(t, time.Since(began), time.Second)
	require.Equal(t, int32(137), p.status(id).ExitCode)
}

func TestEndOfContainerEndsItsChildren(t *testing.T) {
	p := newPod(t)
	id := p.create("sleep 1000 & echo $!; exit 0")
	p.start(id)
	p.wait(id)
	pid := strings.TrimSpace(p.log()[strings.LastIndex(p.log(), " ")+1:])
	require.Eventually(t, func() bool {
		stat, err := os.ReadFile("/proc/" + pid + "/stat")
		return err != nil || strings.Contains(string(stat), ") Z ")
	}, 20*time.Second, 2*time.Millisecond)
}

func TestContainerThatCannotStart(t *testing.T) {
	p := newPod(t)
	id, err := p.CreateContainer(t.Context(), p.sandbox, &runtimeapi.ContainerConfig{
		Metadata: &runtimeapi.ContainerMetadata{Name: "main"},
		Image:    &runtimeapi.ImageSpec{UserSpecifiedImage: "app:v7"}, Command: []string{"/not/there"},
	}, p.config)
	require.NoError(t, err)
	require.ErrorContains(t, p.StartContainer(t.Context(), id), "/not/there")
	require.Equal(t, int32(128), p.status(id).ExitCode)
	require.Equal(t, "StartError", p.status(id).Reason)
}

func TestEvents(t *testing.T) {
	p := newPod(t)
	id := p.create("exit 3")
	p.start(id)
	p.wait(id)
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan *runtimeapi.ContainerEventResponse, 10)
	go p.GetContainerEvents(ctx, got, nil)
	defer cancel()
	for range 2 { // the start and the end
		event := <-got
		require.Equal(t, id, event.ContainerId)
		require.Equal(t, "u1", event.PodSandboxStatus.Metadata.Uid)
	}
}

func TestExecSync(t *testing.T) {
	p := newPod(t)
	id := p.create("echo up; exec sleep 1000")
	_, _, err := p.ExecSync(t.Context(), id, []string{"true"}, 0)
	require.Equal(t, codes.NotFound, status.Code(err), "it does not run yet")
	p.start(id)
	out, errOut, err := p.ExecSync(t.Context(), id, []string{"sh", "-c", "echo $POD_IP; echo bad >&2; exit 4"}, time.Minute)
	require.Equal(t, "10.244.1.1\n", string(out))
	require.Equal(t, "bad\n", string(errOut))
	var exit utilexec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, 4, exit.ExitStatus())
	_, _, err = p.ExecSync(t.Context(), id, []string{"sleep", "1000"}, 10*time.Millisecond)
	require.Equal(t, codes.DeadlineExceeded, status.Code(err))
}
