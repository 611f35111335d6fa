package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/config"
	"sluice.dev/sluice/starter/watch/projection"
	"sluice.dev/sluice/tests/harness"
	"sluice.dev/sluice/workflows"
)

// newGroup starts a watcher for cases that run side by side, each with an
// application under a host of its own.
func newGroup(t *testing.T) *bypass {
	t.Helper()
	_, err := kubectlPath() // before the cases' time begins
	require.NoError(t, err)
	b := bypassOf(&rollout{Bed: start(t), t: t, ctx: t.Context(), namespace: metav1.NamespaceDefault}, kruiseRollouts)
	b.sluice("crds", "--install")
	b.startWatch(harness.HookArgs(0)...)
	t.Cleanup(b.stop)
	return b
}

// beside deploys the seed's application for a case of a group, with a patch, and
// without a load.
func (b *bypass) beside(t *testing.T, name, patch string, rollouts schema.GroupVersionResource) *bypass {
	t.Helper()
	host := name + ".example.com"
	one := bypassOf(deployed(t, place{host: host, patch: patch}), rollouts)
	one.host, one.watcher = host, b.watcher
	one.listen()
	t.Cleanup(one.explain)
	return one
}

// besideRate is the rate of requests of one of several cases at once.
const besideRate = 120

// TestBypassBeside goes through what is rarer, several cases at once. The one that
// deletes its workload has no load: nobody could answer it.
func TestBypassBeside(t *testing.T) {
	group := newGroup(t)
	for name, c := range map[string]struct {
		patch string
		rate  float64
		run   func(*bypass)
	}{
		"headers": {"", besideRate, (*bypass).byHeaders},
		"beta":    {"", besideRate, (*bypass).editedBeta},
		"refused": {"", besideRate, (*bypass).refusedAndAborted},
		"leaving": {drainedApp, besideRate, (*bypass).leftInTheMiddle},
		"putback": {"", besideRate, (*bypass).putBackWhilePromoting},
		"moved":   {drainedApp, besideRate, (*bypass).movedToAnother},
		"paused":  {"", besideRate, (*bypass).pausedFromTheBeginning},
		"deleted": {"", 0, (*bypass).workloadDeleted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := group.beside(t, name, c.patch, kruiseRollouts)
			if c.rate > 0 {
				b.startLoad(c.rate)
			}
			c.run(b)
			if c.rate > 0 {
				b.finish()
				b.toldInTime()
			}
		})
	}
}

// byHeaders releases by the seed's second document. A third template that comes
// while the new revision is made stable waits, and the deletion of the Rollout
// finishes it.
func (b *bypass) byHeaders() {
	b.name = "rollouts-header"
	b.declareBy(func() { b.kubectlWith(b.document("rollout-ab.yaml"), "apply", "-f", "-") })
	b.setImage("v2")
	b.stepPaused(1)
	b.splitByCohort()
	b.approveByKubectl()
	require.NoError(b.t, harness.Await(b.ctx, "the workload replaces its pods", b.replacing))
	d := b.setImage("v3")
	require.Equal(b.t, harness.Image("v2"), d.Spec.Template.Spec.Containers[0].Image, "v3 waits")
	require.NoError(b.t, harness.Await(b.ctx, "v3 holds at step 1", b.holdsImage("v3")))
	require.Equal(b.t, 2, b.runs())
	b.gone()
	b.checkShare("the deletion has finished the new revision", "v3", 100)
}

// finalising waits until the new revision is being made stable.
func (b *bypass) finalising() {
	b.t.Helper()
	b.progressing(projection.ReasonFinalising)
}

// progressing waits until the Rollout progresses for a reason.
func (b *bypass) progressing(reason string) projection.Status {
	b.t.Helper()
	return b.status("the Rollout progresses as "+reason, func(s projection.Status) bool {
		p := s.Condition(projection.Progressing)
		return p != nil && p.Reason == reason
	})
}

// betaDocument is a document of v1beta1 with two steps of 3 and 4 pods.
const betaDocument = `
apiVersion: rollouts.kruise.io/v1beta1
kind: Rollout
metadata: {name: rollouts-demo}
spec:
  workloadRef: {apiVersion: apps/v1, kind: Deployment, name: demo}
  strategy:
    canary:
      enableExtraWorkloadForCanary: true
      steps:
      - {traffic: 10%, replicas: 3, pause: {}}
      - {traffic: 30%, replicas: 4, pause: {}}
      trafficRoutings:
      - {service: demo, ingress: {classType: nginx, name: demo}}
`

// editedBeta refuses another number of steps, and goes on at the second one when
// it is the one that has as many pods as the first one had.
func (b *bypass) editedBeta() {
	b.declareBy(func() { b.kubectlWith(betaDocument, "apply", "-f", "-") })
	b.setImage("v2")
	b.paused(1, 10, "v2")
	more := strings.Replace(betaDocument, "      trafficRoutings", "      - {traffic: 50%, replicas: 5, pause: {}}\n      trafficRoutings", 1)
	refused := b.tryKubectl(more, "apply", "-f", "-")
	require.Contains(b.t, refused.Stderr, "the number of spec.strategy.canary.steps is immutable")
	fewer := strings.NewReplacer("replicas: 3", "replicas: 1", "replicas: 4", "replicas: 3").Replace(betaDocument)
	b.kubectlWith(fewer, "apply", "-f", "-")
	b.paused(2, 30, "v2")
	b.approve()
	b.healthy("True", "v2")
	require.Equal(b.t, 1, b.runs())
}

// inTheWay makes a Service of somebody else that has the name of the canary's:
// the preflight refuses a rollout.
func (b *bypass) inTheWay() {
	b.t.Helper()
	other := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: release.CanaryName(harness.Demo)},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}},
	}
	_, err := b.Kube.CoreV1().Services(b.namespace).Create(b.ctx, other, metav1.CreateOptions{})
	require.NoError(b.t, err)
}

func (b *bypass) outOfTheWay() {
	b.t.Helper()
	require.NoError(b.t, b.Kube.CoreV1().Services(b.namespace).Delete(b.ctx, release.CanaryName(harness.Demo), metav1.DeleteOptions{}))
}

// says waits until the message of the Rollout has a text.
func (b *bypass) says(text string) {
	b.t.Helper()
	b.status("the Rollout says "+text, func(s projection.Status) bool { return strings.Contains(s.Message, text) })
}

// chooses sets an annotation of the Rollout.
func (b *bypass) chooses(annotation, value string) {
	b.t.Helper()
	b.patch(fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, annotation, value))
}

// disabled sets spec.disabled and waits for a phase.
func (b *bypass) disabled(is bool, phase string) {
	b.t.Helper()
	b.patch(fmt.Sprintf(`{"spec":{"disabled":%v}}`, is))
	b.phase(phase, 0, "")
}

// refusedAndAborted tries a refused revision again when what was wrong is mended.
// When it is aborted, disabling and deleting the Rollout take it back.
func (b *bypass) refusedAndAborted() {
	b.declare()
	b.inTheWay()
	b.setImage("v2")
	b.says("its rollout was refused")
	b.outOfTheWay()
	b.paused(1, 10, "v2")
	b.sluice("abort", harness.Demo, "--reason", "not good")
	b.healthy("False", "v1")
	b.setImage("v2")
	b.says("was aborted")
	b.chooses(config.AnnotationOnDelete, "rollback")
	b.disabled(true, projection.PhaseDisabled)
	b.restored("v1")
	b.disabled(false, projection.PhaseHealthy)
	b.setImage("v2")
	b.says("was aborted")
	b.gone()
	b.checkShare("rolled back with its Rollout", "v1", 100)
}

// leftInTheMiddle disables a Rollout while a change is held, which finishes it as
// a Deployment does, and while a rollout is open, which leaves it to the command
// line. It deletes the Rollout while a third template waits, which takes both back.
func (b *bypass) leftInTheMiddle() {
	b.declare()
	b.inTheWay()
	b.snap()
	b.setImage("v2")
	b.says("its rollout was refused")
	b.disabled(true, projection.PhaseDisabled)
	require.NoError(b.t, b.Sandbox.AwaitDeployment(b.ctx, b.namespace, harness.Demo))
	b.restored("v2")
	b.outOfTheWay()
	b.disabled(false, projection.PhaseHealthy)

	b.chooses(config.AnnotationOnDelete, "hold")
	b.setImage("v3")
	b.paused(1, 10, "v3")
	b.disabled(true, projection.PhaseDisabling)
	b.checkShare("left to the command line", "v3", 10)
	b.sluice("promote", harness.Demo, "--full")
	b.phase(projection.PhaseDisabled, 0, "")
	b.checkShare("promoted", "v3", 100)
	b.disabled(false, projection.PhaseHealthy)

	b.chooses(config.AnnotationOnDelete, "rollback")
	b.chooses(config.AnnotationPolicy, "queue")
	b.setImage("v4")
	b.paused(1, 10, "v4")
	d := b.setImage("v5")
	require.Equal(b.t, harness.Image("v4"), d.Spec.Template.Spec.Containers[0].Image, "v5 waits")
	b.gone()
	b.checkShare("both are taken back", "v3", 100)
}

// workloadDeleted deletes the workload of a Rollout and creates it again.
func (b *bypass) workloadDeleted() {
	b.declare()
	require.NoError(b.t, b.Kube.AppsV1().Deployments(b.namespace).Delete(b.ctx, harness.Demo, metav1.DeleteOptions{}))
	b.phase(projection.PhaseInitial, 0, "")
	b.says("Workload Not Found")
	require.NoError(b.t, b.Sandbox.Apply(b.ctx, b.namespace, []byte(b.workloadManifest())))
	require.NoError(b.t, b.Sandbox.AwaitDeployment(b.ctx, b.namespace, harness.Demo))
	b.phase(projection.PhaseHealthy, 0, "")
	require.NoError(b.t, harness.Await(b.ctx, "changes are held", func(ctx context.Context) (bool, error) {
		d, err := b.Deployment(ctx, b.namespace)
		return err == nil && d.Labels[release.LabelBypass] == "true", err
	}))
	require.True(b.t, b.setImage("v2").Spec.Paused)
	b.stepPaused(1)
	b.chooses(config.AnnotationOnDelete, "rollback")
	b.gone()
}

// putBackWhilePromoting puts the stable template back while the new revision is made
// stable. That is no verdict on the revision: it is rolled out when it comes again.
func (b *bypass) putBackWhilePromoting() {
	b.declare()
	b.setImage("v2")
	b.paused(1, 10, "v2")
	b.sluice("promote", harness.Demo, "--full")
	require.NoError(b.t, harness.Await(b.ctx, "the workload replaces its pods", b.replacing))
	b.replaced = true
	b.setImage("v1")
	b.healthy("False", "v1")
	b.checkShare("the stable template is back", "v1", 100)
	b.snap()
	b.setImage("v2")
	b.paused(1, 10, "v2")
	require.Equal(b.t, 2, b.runs())
	b.setImage("v1")
	b.healthy("False", "v1")
	b.gone()
}

// pausedFromTheBeginning changes the image of a workload whose Rollout is paused:
// nothing is touched until it is resumed.
func (b *bypass) pausedFromTheBeginning() {
	b.declare("strategy:", "strategy:\n    paused: true")
	b.setImage("v2")
	require.Equal(b.t, projection.PhaseProgressing, b.progressing(projection.ReasonPaused).Phase)
	b.checkShare("nothing is touched", "v1", 100)
	_, err := b.Kube.AppsV1().Deployments(b.namespace).Get(b.ctx, release.CanaryName(harness.Demo), metav1.GetOptions{})
	require.True(b.t, apierrors.IsNotFound(err), "%v", err)
	b.patch(`{"spec":{"strategy":{"paused":false}}}`)
	b.paused(1, 10, "v2")
	b.approveBoth()
	b.paused(2, 30, "v2")
	b.approve()
	b.healthy("True", "v2")
	require.Equal(b.t, 1, b.runs())
	b.gone()
}

// approveBoth approves as somebody does who edits the status in an editor, where the
// state stands twice.
func (b *bypass) approveBoth() {
	b.t.Helper()
	b.patchStatusBy("kubectl-edit", `{"currentStepState":"StepReady","canaryStatus":{"currentStepState":"StepReady"}}`)
}

// movedToAnother releases by rollout-id: a template that changes with it is held, one
// that changes while it stays rolls out as the Deployment says. Then the Rollout names
// another workload, and the first one is let go.
func (b *bypass) movedToAnother() {
	b.declare()
	b.release("v2", "1")
	b.paused(1, 10, "v2")
	b.sluice("promote", harness.Demo, "--full")
	b.await(workflows.PhasePromoted, 0)
	b.phase(projection.PhaseHealthy, 0, "")
	b.release("v3", "1")
	b.native("v3")
	require.Equal(b.t, 1, b.runs())

	require.NoError(b.t, b.apply("name: demo\n  strategy", "name: other\n  strategy"))
	b.phase(projection.PhaseInitial, 0, "")
	require.NoError(b.t, harness.Await(b.ctx, "the first workload is let go", func(ctx context.Context) (bool, error) {
		d, err := b.Deployment(ctx, b.namespace)
		return err == nil && d.Labels[release.LabelBypass] == "", err
	}))
	b.release("v4", "2")
	b.native("v4")
	b.gone()
}

// release sets an image of the workload together with a rollout-id.
func (b *bypass) release(version, id string) {
	b.t.Helper()
	patch := fmt.Sprintf(`{"metadata":{"annotations":{"rollouts.kruise.io/rollout-id":%q}},
		"spec":{"template":{"spec":{"containers":[{"name":"main","image":%q}]}}}}`, id, harness.Image(version))
	_, err := b.Kube.AppsV1().Deployments(b.namespace).Patch(b.ctx, harness.Demo, types.StrategicMergePatchType, []byte(patch), kubectl)
	require.NoError(b.t, err)
}

// native waits until all pods run a version that nobody has held.
func (b *bypass) native(version string) {
	b.t.Helper()
	d, err := b.Deployment(b.ctx, b.namespace)
	require.NoError(b.t, err)
	require.False(b.t, d.Spec.Paused)
	require.NoError(b.t, b.Sandbox.AwaitDeployment(b.ctx, b.namespace, harness.Demo))
	// Pods that end answer for as long as they do.
	require.NoError(b.t, harness.Await(b.ctx, "all answers are those of "+version, func(ctx context.Context) (bool, error) {
		name := fmt.Sprint(version, " alone ", time.Now().UnixNano())
		if _, err := b.load.Mark(ctx, name); err != nil {
			return false, err
		}
		return b.awaitAnswers(name, besideRate).Share(version) == 1, nil
	}))
}
