package sandbox_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"sluice.dev/sluice/tests/sandbox"
)

// death is how a pod ends that is deleted.
type death struct {
	pod  *v1.Pod
	code int32 // of the container's exit
	// The time from the deletion to the end: at least the first, and shorter than
	// the second, which is far enough away for a machine that is busy.
	atLeast, below time.Duration
}

// deaths returns a pod for each way to end. The application dies of SIGTERM at once
// (143) if nothing else is said, and is killed (137) if it ignores it.
func deaths() map[string]death {
	const ignore, graceful = "TERM=ignore", "TERM=graceful"
	return map[string]death{
		"dies at once":     {appPod("dies", 30), 143, 0, 15 * time.Second},
		"ends in order":    {appPod("ends", 30, graceful), 0, 0, 15 * time.Second},
		"ignores SIGTERM":  {appPod("ignores", 5, ignore), 137, 5 * time.Second, 15 * time.Second},
		"preStop, by time": {preStop(appPod("sleeps", 30), sleeps(4)), 143, 4 * time.Second, 15 * time.Second},
		// The hook's request is answered after as long.
		"preStop, by HTTP": {preStop(appPod("asked", 30, "LATENCY=6s"), asks("/last")), 143, 6 * time.Second, 20 * time.Second},
		// 10 s in all, not 7 and then 10 more.
		"preStop counts in the grace": {preStop(appPod("counts", 10, ignore), sleeps(7)), 137, 10 * time.Second, 17 * time.Second},
		// The hook would take a minute, and has the grace.
		"preStop ends with the grace": {preStop(appPod("cut", 3, "LATENCY=1m"), asks("/last")), 143, 3 * time.Second, 30 * time.Second},
	}
}

// TestPods shows on the real kubelet that pods start, are probed, restart, crash
// and end as on a cluster. They live side by side, as most of the time is spent
// waiting.
func TestPods(t *testing.T) {
	s := sandbox.Shared(t)
	client, namespace := kube(t, s), newNamespace(t, s)
	journal := watchPods(t, client, namespace)
	create := func(pod *v1.Pod) {
		_, err := client.CoreV1().Pods(namespace).Create(t.Context(), pod, metav1.CreateOptions{})
		require.NoError(t, err)
	}

	begun := time.Now()
	unready := filepath.Join(t.TempDir(), "unready")
	create(appPod("never", 0, "NEVER_READY=1"))
	create(appPod("late", 0, "START_DELAY=5s"))
	create(alive(appPod("fails", 0, "FAIL_SHARE=1", "FAIL_AFTER=3s")))
	create(appPod("crashes", 0, "CRASH_AFTER=1s"))
	create(readyBy(appPod("follows", 0, "FAIL_SHARE=1", "FAIL_FILE="+unready), "/"))
	dying := deaths()
	for _, d := range dying {
		create(d.pod)
	}

	deleted := map[string]time.Time{}
	for _, d := range dying {
		journal.await(t, d.pod.Name, "ready", isReady)
	}
	for name, d := range dying {
		deleted[name] = time.Now()
		require.NoError(t, client.CoreV1().Pods(namespace).Delete(t.Context(), d.pod.Name, metav1.DeleteOptions{}))
	}
	t.Run("preStop asks a container that serves", func(t *testing.T) {
		address := journal.last("asked").pod.Status.PodIP
		require.Eventually(t, func() bool {
			return strings.Contains(inside(t, s, "http://"+address+":8080/metrics"), `http_requests_in_flight{version="v1"} 1`)
		}, patience, lookEvery)
	})
	t.Run("readiness follows", func(t *testing.T) { testReadiness(t, journal, client, namespace, unready) })
	t.Run("late start", func(t *testing.T) {
		ready := journal.await(t, "late", "ready", isReady)
		require.GreaterOrEqual(t, ready.at.Sub(container(ready.pod).State.Running.StartedAt.Time), 5*time.Second)
		require.Zero(t, container(ready.pod).RestartCount)
	})
	for name, d := range dying {
		t.Run(name, func(t *testing.T) {
			gone := journal.await(t, d.pod.Name, "gone", func(s sight) bool { return s.gone })
			took := gone.at.Sub(deleted[name])
			require.GreaterOrEqual(t, took, d.atLeast)
			require.Less(t, took, d.below)
			end := container(gone.pod).State.Terminated
			require.NotNil(t, end, "%+v", gone.pod.Status)
			require.Equal(t, d.code, end.ExitCode)
			require.Zero(t, container(gone.pod).RestartCount)
		})
	}
	t.Run("liveness", func(t *testing.T) { testLiveness(t, journal) })
	t.Run("crash loop", func(t *testing.T) { testCrashLoop(t, journal) })
	t.Run("never ready", func(t *testing.T) {
		require.Greater(t, time.Since(begun), 20*time.Second, "there was time to become ready")
		now := journal.last("never")
		require.NotNil(t, container(now.pod).State.Running)
		require.Zero(t, container(now.pod).RestartCount)
		require.Contains(t, inside(t, s, "http://"+now.pod.Status.PodIP+":8080/"), "version: v1")
		_, ever := journal.find("never", isReady)
		require.False(t, ever)
	})
}

// testReadiness makes a pod fail and recover, and sees its address go and come.
func testReadiness(t *testing.T, journal *journal, client kubernetes.Interface, namespace, unready string) {
	_, err := client.CoreV1().Services(namespace).Create(t.Context(), &v1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "follows"},
		Spec:       v1.ServiceSpec{Selector: map[string]string{"app": "follows"}, Ports: []v1.ServicePort{{Port: 80}}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	for _, want := range []bool{true, false, true} {
		if want {
			require.NoError(t, os.RemoveAll(unready))
		} else {
			require.NoError(t, os.WriteFile(unready, nil, 0o644))
		}
		require.Eventually(t, func() bool { return isReady(journal.last("follows")) == want }, patience, lookEvery, "ready: %t", want)
		require.Eventually(t, func() bool {
			slices, err := client.DiscoveryV1().EndpointSlices(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=follows"})
			require.NoError(t, err)
			return len(slices.Items) == 1 && len(slices.Items[0].Endpoints) == 1 && *slices.Items[0].Endpoints[0].Conditions.Ready == want
		}, patience, lookEvery, "in the Service: %t", want)
	}
	require.Zero(t, container(journal.last("follows").pod).RestartCount)
}

// testLiveness sees a container that fails its probe started again, twice.
func testLiveness(t *testing.T, journal *journal) {
	for restarts := range int32(2) {
		s := journal.await(t, "fails", fmt.Sprintf("restart %d", restarts+1), func(s sight) bool {
			return container(s.pod).RestartCount == restarts+1 && container(s.pod).State.Running != nil
		})
		end := container(s.pod).LastTerminationState.Terminated
		require.NotNil(t, end)
		require.EqualValues(t, 143, end.ExitCode, "it was told to end")
		require.GreaterOrEqual(t, end.FinishedAt.Sub(end.StartedAt.Time), 2*time.Second, "it was well for three seconds")
	}
}

// testCrashLoop sees that a container which crashes is started again at once, then
// after 10 s, then after 20 s.
func testCrashLoop(t *testing.T, journal *journal) {
	for i, pause := range []time.Duration{0, 10 * time.Second, 20 * time.Second} {
		restarts := int32(i) + 1
		if pause > 0 {
			waits := journal.await(t, "crashes", fmt.Sprintf("back-off of %s", pause), func(s sight) bool {
				w := container(s.pod).State.Waiting
				return w != nil && w.Reason == "CrashLoopBackOff" && strings.HasPrefix(w.Message, "back-off "+pause.String()+" ")
			})
			require.Equal(t, restarts-1, container(waits.pod).RestartCount)
		}
		runs := journal.await(t, "crashes", fmt.Sprintf("restart %d", restarts), func(s sight) bool {
			return container(s.pod).RestartCount == restarts && container(s.pod).State.Running != nil
		})
		end := container(runs.pod).LastTerminationState.Terminated
		require.NotNil(t, end)
		require.EqualValues(t, 1, end.ExitCode)
		require.Equal(t, "Error", end.Reason)
		// Both times are cut to seconds.
		require.GreaterOrEqual(t, container(runs.pod).State.Running.StartedAt.Sub(end.FinishedAt.Time), pause-time.Second)
	}
}
