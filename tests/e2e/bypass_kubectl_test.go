package e2e

import (
	"bytes"
	"context"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/tests/sandbox"
	"sluice.dev/sluice/tests/sandbox/build"
)

// kubectlPath builds kubectl for the first case that needs it.
var kubectlPath = sync.OnceValues(func() (string, error) {
	return sandbox.BuildKubectl(context.Background(), build.Progress{Out: os.Stderr})
})

// kubectl runs kubectl and requires that it succeeds.
func (b *bypass) kubectl(args ...string) string {
	b.t.Helper()
	return b.kubectlWith("", args...)
}

// kubectlWith does so with a standard input.
func (b *bypass) kubectlWith(stdin string, args ...string) string {
	b.t.Helper()
	out := b.tryKubectl(stdin, args...)
	require.Zero(b.t, out.Code, "kubectl %v: %s%s", args, out.Stdout, out.Stderr)
	return out.Stdout
}

func (b *bypass) tryKubectl(stdin string, args ...string) harness.Output {
	b.t.Helper()
	path, err := kubectlPath()
	require.NoError(b.t, err)
	out, err := b.Kubectl(b.ctx, path, b.namespace, stdin, args...)
	require.NoError(b.t, err)
	return out
}

// watching is a `kubectl get -w` that goes on beside a case.
type watching struct {
	out  bytes.Buffer
	stop context.CancelFunc
	done chan error
}

// watch begins to look at what `kubectl get rollout -w` shows.
func (b *bypass) watch() *watching {
	b.t.Helper()
	path, err := kubectlPath()
	require.NoError(b.t, err)
	ctx, cancel := context.WithCancel(b.ctx)
	w := &watching{stop: cancel, done: make(chan error, 1)}
	cmd := b.KubectlCommand(ctx, path, b.namespace, "get", "rollout", "-w")
	cmd.Stdout, cmd.Stderr = &w.out, &w.out
	require.NoError(b.t, cmd.Start())
	go func() { w.done <- cmd.Wait() }()
	b.t.Cleanup(cancel)
	return w
}

// shown ends the watch and returns its rows, each as its words.
func (w *watching) shown() [][]string {
	w.stop()
	<-w.done
	var rows [][]string
	for line := range strings.Lines(w.out.String()) {
		rows = append(rows, strings.Fields(line))
	}
	return rows
}

// stdin is a document of the seed with texts replaced in pairs.
func (b *bypass) document(name string, replace ...string) string {
	b.t.Helper()
	file, err := harness.SeedFile(name)
	require.NoError(b.t, err)
	text, err := os.ReadFile(file)
	require.NoError(b.t, err)
	return strings.NewReplacer(replace...).Replace(string(text))
}

// approveByKubectl is the approval that needs no plugin.
func (b *bypass) approveByKubectl() {
	b.t.Helper()
	b.kubectl("patch", "rollout", b.name, "--subresource", "status", "--type", "merge",
		"-p", `{"status":{"canaryStatus":{"currentStepState":"StepReady"}}}`)
}

// row is what `kubectl get rollout` shows of the Rollout, without its age.
func (b *bypass) row() []string {
	b.t.Helper()
	lines := strings.Split(strings.TrimSpace(b.kubectl("get", "rollout")), "\n")
	require.Len(b.t, lines, 2)
	require.Equal(b.t, []string{"NAME", "STATUS", "CANARY_STEP", "CANARY_STATE", "MESSAGE", "AGE"}, strings.Fields(lines[0]))
	words := strings.Fields(lines[1])
	return append(words[:4:4], strings.Join(words[4:len(words)-1], " "))
}

// canaryWeight is what `kubectl get ingress` knows of the canary's route.
func (b *bypass) canaryWeight() string {
	b.t.Helper()
	require.Contains(b.t, b.kubectl("get", "ingress"), harness.Demo+"-canary")
	return b.kubectl("get", "ingress", harness.Demo+"-canary", "-o", `jsonpath={.metadata.annotations.nginx\.ingress\.kubernetes\.io/canary-weight}`)
}

// TestBypassSeed is the seed's session, typed by somebody who has nothing but
// kubectl: apply the Rollout, set the image, look, approve, approve, look, delete.
func TestBypassSeed(t *testing.T) {
	b := newBypass(t, "")
	b.declareBy(func() {
		require.Equal(t, "rollout.rollouts.kruise.io/rollouts-demo created\n", b.kubectlWith(b.document("rollout-canary.yaml"), "apply", "-f", "-"))
	})
	shown := b.watch()
	refused := b.tryKubectl(b.document("rollout-canary.yaml", "weight: 10", "weight: 101"), "apply", "-f", "-")
	require.NotZero(t, refused.Code)
	require.Contains(t, refused.Stderr, "weight", "the rules of lint are asked")
	refused = b.tryKubectl(b.document("rollout-canary.yaml", "rollouts-demo", "second"), "apply", "-f", "-")
	require.Contains(t, refused.Stderr, "one Rollout per workload")

	require.Equal(t, "deployment.apps/demo image updated\n", b.kubectl("set", "image", "deployment/demo", "main="+harness.Image("v2")))
	require.Equal(t, "true", b.kubectl("get", "deployment", "demo", "-o", "jsonpath={.spec.paused}"), "held by the write itself")
	b.paused(1, 10, "v2")
	require.Equal(t, []string{seedRollout, "Progressing", "1", "StepPaused",
		"Rollout is in step(1/2), and you need manually confirm to enter the next step"}, b.row())
	require.Equal(t, "10", b.canaryWeight())
	refused = b.tryKubectl(b.document("rollout-canary.yaml", "name: demo\n  strategy", "name: other\n  strategy"), "apply", "-f", "-")
	require.Contains(t, refused.Stderr, "immutable")

	b.approveByKubectl()
	b.paused(2, 30, "v2")
	require.Equal(t, "30", b.canaryWeight())
	b.approveByKubectl()
	b.healthy("True", "v2")
	b.checkShare("promoted", "v2", 100)
	require.Equal(t, []string{seedRollout, "Healthy", "2", "Completed", "Rollout progressing has been completed"}, b.row())
	for _, text := range []string{"Started", "promote by kubectl-patch", "promoted", "confirmed by"} {
		require.NoError(t, harness.Await(b.ctx, "an event tells "+text, func(context.Context) (bool, error) {
			return strings.Contains(b.kubectl("describe", "rollout", seedRollout), text), nil
		}))
	}
	b.checkShown(shown)
	b.hasTold("StepUpgrade", "StepTrafficRouting", "Progressing True InRolling", "Progressing True Finalising",
		"Progressing False Completed", "Succeeded True Completed")
	require.Equal(t, "rollout.rollouts.kruise.io \"rollouts-demo\" deleted", strings.Split(b.kubectl("delete", "rollout", seedRollout), " from")[0])
	b.nothingLeft()
	b.finish()
	b.toldInTime()
}

// checkShown requires that `kubectl get rollout -w` has told the whole story.
func (b *bypass) checkShown(w *watching) {
	b.t.Helper()
	time.Sleep(100 * time.Millisecond) // the last line is on its way
	var story []string
	for _, words := range w.shown() {
		if len(words) > 3 && words[0] == seedRollout {
			if told := strings.Join(words[1:4], " "); len(story) == 0 || story[len(story)-1] != told {
				story = append(story, told)
			}
		}
	}
	b.t.Logf("kubectl get rollout -w: %q", story)
	for _, told := range []string{
		"Healthy 2 Completed", "Progressing 1 StepUpgrade", "Progressing 1 StepPaused", "Progressing 1 StepReady",
		"Progressing 2 StepPaused", "Progressing 2 StepReady", "Progressing 2 Completed",
	} {
		require.Contains(b.t, story, told)
	}
	for _, step := range []string{"1", "2"} { // an approval stays until it is taken
		ready := slices.Index(story, "Progressing "+step+" StepReady")
		require.NotContains(b.t, story[ready:], "Progressing "+step+" StepPaused")
	}
	require.Equal(b.t, "Healthy 2 Completed", story[len(story)-1])
}
