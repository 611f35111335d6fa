package e2e

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"

	"sluice.dev/sluice/config"
	"sluice.dev/sluice/starter/watch/projection"
	"sluice.dev/sluice/tests/harness"
)

// applyLoop is a GitOps tool of a few lines.
type applyLoop struct {
	version atomic.Value
	applied atomic.Int64
	cancel  context.CancelFunc
	done    sync.WaitGroup
}

func (l *applyLoop) stop() {
	l.cancel()
	l.done.Wait()
}

// again waits until everything was applied so many times more.
func (l *applyLoop) again(b *bypass, times int64) {
	b.t.Helper()
	want := l.applied.Load() + times
	require.NoError(b.t, harness.Await(b.ctx, "the loop goes on", func(context.Context) (bool, error) { return l.applied.Load() >= want, nil }))
}

// loopInterval is shorter than that of any GitOps tool, and leaves the machine time
// for what is tested: a kubectl that applies everything takes a second of it.
const loopInterval = 3 * time.Second

// workloadManifest is the seed's Deployment alone.
func (b *bypass) workloadManifest() string {
	manifest, _, _ := strings.Cut(b.document("app.yaml"), "\n---")
	return manifest
}

// manifests are all of the seed's: Deployment, Service, Ingress and Rollout.
func (b *bypass) manifests() string {
	return string(harness.AtHost([]byte(b.document("app.yaml")), b.host)) + "\n---\n" + b.document("rollout-canary.yaml")
}

// applyInALoop applies manifests with a version of the image again and again.
func (b *bypass) applyInALoop(manifests, version string, flags ...string) *applyLoop {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.ctx)
	l := &applyLoop{cancel: cancel}
	l.version.Store(version)
	path, err := kubectlPath()
	require.NoError(b.t, err)
	l.done.Go(func() {
		for ctx.Err() == nil {
			now := strings.ReplaceAll(manifests, "version:v1", fmt.Sprintf("version:%s", l.version.Load()))
			out, err := b.Kubectl(ctx, path, b.namespace, now, append([]string{"apply", "-f", "-"}, flags...)...)
			if ctx.Err() == nil && (err != nil || out.Code != 0) {
				b.t.Errorf("applying: %v %s", err, out.Stderr)
			}
			l.applied.Add(1)
			select {
			case <-ctx.Done():
			case <-time.After(loopInterval):
			}
		}
	})
	b.t.Cleanup(l.stop)
	return l
}

// runs counts the rollouts of the workload, open and closed.
func (b *bypass) runs() int {
	b.t.Helper()
	list, err := b.Temporal.ListWorkflow(b.ctx, &workflowservice.ListWorkflowExecutionsRequest{
		Query: fmt.Sprintf("WorkflowId = '%s'", harness.DemoWorkflow(b.namespace)),
	})
	require.NoError(b.t, err)
	return len(list.Executions)
}

// TestBypassGitOps is the seed's session through a GitOps tool: it applies all
// manifests again and again, their image is changed, people approve twice, and
// what it goes on to apply changes nothing more.
func TestBypassGitOps(t *testing.T) {
	group := newGroup(t)
	for way, flags := range map[string][]string{"client": nil, "server": {"--server-side", "--force-conflicts"}} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			b := group.beside(t, way, "", kruiseRollouts)
			b.startLoad(besideRate)
			loop := b.applyInALoop(b.manifests(), "v1", flags...)
			b.declareBy(func() { loop.again(b, 1) })
			loop.version.Store("v2")
			b.paused(1, 10, "v2")
			loop.again(b, 1)
			b.approveByKubectl()
			b.paused(2, 30, "v2")
			loop.again(b, 1)
			b.approveByKubectl()
			b.healthy("True", "v2")
			b.checkShare("promoted", "v2", 100)
			loop.again(b, 5)
			loop.stop()
			require.Equal(t, []string{b.name, "Healthy", "2", "Completed", "Rollout progressing has been completed"}, b.row())
			require.Equal(t, 1, b.runs(), "the loop has started one rollout")
			b.restored("v2")
			b.finish()
			b.toldInTime()
		})
	}
}

// TestBypassLoop applies the workload again and again, as GitOps tools do, by
// client-side and by server-side apply: an aborted revision starts nothing until
// somebody says so, and another one supersedes it. The Rollout is deleted while
// that one goes on, which finishes it.
func TestBypassLoop(t *testing.T) {
	b := newBypass(t, "")
	b.declare()
	loop := b.applyInALoop(b.workloadManifest(), "v2")
	b.paused(1, 10, "v2")
	b.sluice("abort", harness.Demo, "--reason", "not good")
	held := b.status("the aborted revision is held", func(s projection.Status) bool {
		return strings.Contains(s.Message, "was aborted") && strings.Contains(s.Message, "not good")
	})
	runs := b.runs()
	b.settle()
	require.Equal(t, runs, b.runs(), "the loop starts nothing")
	b.checkShare("aborted and held", "v1", 100)
	b.kubectl("annotate", "rollout", b.name, config.AnnotationReleaseAgain+"="+strings.Fields(held.Message)[1])
	b.stepPaused(1)
	loop.stop()

	loop = b.applyInALoop(b.workloadManifest(), "v3", "--server-side", "--force-conflicts")
	b.checkNext("v3")
	b.gone()
	b.hasTold("Terminating", "Terminating True InTerminating")
	b.checkShare("the deletion has finished the new revision", "v3", 100)
	loop.stop()
	require.Equal(t, runs+1, b.runs(), "v3 has superseded v2 in its rollout")
	b.finish()
	b.toldInTime()
}
