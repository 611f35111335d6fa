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
	cancel  context.CancelFunc
	done    sync.WaitGroup
}

func (l *applyLoop) stop() {
	l.cancel()
	l.done.Wait()
}

// loopInterval is shorter than that of any GitOps tool.
const loopInterval = time.Second

// applyInALoop applies the seed's Deployment with an image again and again.
func (b *bypass) applyInALoop(version string, flags ...string) *applyLoop {
	b.t.Helper()
	manifest, _, _ := strings.Cut(b.document("app.yaml"), "\n---")
	ctx, cancel := context.WithCancel(b.ctx)
	l := &applyLoop{cancel: cancel}
	l.version.Store(version)
	path, err := kubectlPath()
	require.NoError(b.t, err)
	l.done.Go(func() {
		for ctx.Err() == nil {
			now := strings.ReplaceAll(manifest, "version:v1", fmt.Sprintf("version:%s", l.version.Load()))
			out, err := b.Kubectl(ctx, path, b.namespace, now, append([]string{"apply", "-f", "-"}, flags...)...)
			if ctx.Err() == nil && (err != nil || out.Code != 0) {
				b.t.Errorf("applying: %v %s", err, out.Stderr)
			}
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

// TestBypassLoop applies the manifests again and again, as GitOps tools do, by
// client-side and by server-side apply: an aborted revision starts nothing until
// somebody says so, and another one supersedes it. The Rollout is deleted while
// that one goes on, which finishes it.
func TestBypassLoop(t *testing.T) {
	b := newBypass(t, "")
	b.declare()
	loop := b.applyInALoop("v2")
	b.paused(1, 10, "v2")
	b.sluice("abort", harness.Demo, "--reason", "not good")
	held := b.status("the aborted revision is held", func(s projection.Status) bool {
		return strings.Contains(s.Message, "was aborted") && strings.Contains(s.Message, "not good")
	})
	runs := b.runs()
	b.settle()
	require.Equal(t, runs, b.runs(), "the loop starts nothing")
	b.checkShare("aborted and held", "v1", 100)
	b.kubectl("annotate", "rollout", seedRollout, config.AnnotationReleaseAgain+"="+strings.Fields(held.Message)[1])
	b.stepPaused(1)
	loop.stop()

	loop = b.applyInALoop("v3", "--server-side", "--force-conflicts")
	b.checkNext("v3")
	b.gone()
	b.hasTold("Terminating", "Terminating True InTerminating")
	b.checkShare("the deletion has finished the new revision", "v3", 100)
	loop.stop()
	require.Equal(t, runs+1, b.runs(), "v3 has superseded v2 in its rollout")
	b.finish()
}
