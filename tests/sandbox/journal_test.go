package sandbox_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"

	"sluice.dev/sluice/tests/sandbox"
)

// sight is a state of a pod, and when the API server told it.
type sight struct {
	at   time.Time
	pod  *v1.Pod
	gone bool
}

// journal keeps every state of the pods of a namespace.
type journal struct {
	mu   sync.Mutex
	seen map[string][]sight
}

// watchPods keeps a journal until the test ends.
func watchPods(t *testing.T, client kubernetes.Interface, namespace string) *journal {
	t.Helper()
	pods, err := client.CoreV1().Pods(namespace).Watch(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	t.Cleanup(pods.Stop)
	j := &journal{seen: map[string][]sight{}}
	go func() {
		for event := range pods.ResultChan() {
			if pod, ok := event.Object.(*v1.Pod); ok {
				j.add(sight{at: time.Now(), pod: pod, gone: event.Type == watch.Deleted})
			}
		}
	}()
	return j
}

func (j *journal) add(s sight) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.seen[s.pod.Name] = append(j.seen[s.pod.Name], s)
}

// find returns the first sight of a pod that fits.
func (j *journal) find(pod string, fits func(sight) bool) (sight, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, s := range j.seen[pod] {
		if fits(s) {
			return s, true
		}
	}
	return sight{}, false
}

// last returns the latest sight of a pod, which has been seen.
func (j *journal) last(pod string) sight {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.seen[pod][len(j.seen[pod])-1]
}

// await returns the first sight of a pod that fits, and waits for it.
func (j *journal) await(t *testing.T, pod, what string, fits func(sight) bool) (found sight) {
	t.Helper()
	require.Eventually(t, func() bool {
		var ok bool
		found, ok = j.find(pod, fits)
		return ok
	}, patience, lookEvery, "%s: %s", pod, what)
	return found
}

// isReady tells whether a pod counts as ready.
func isReady(s sight) bool {
	for _, condition := range s.pod.Status.Conditions {
		if condition.Type == v1.PodReady {
			return condition.Status == v1.ConditionTrue
		}
	}
	return false
}

// container returns the status of a pod's only container, empty before the
// kubelet has told it.
func container(pod *v1.Pod) v1.ContainerStatus {
	if len(pod.Status.ContainerStatuses) == 0 {
		return v1.ContainerStatus{}
	}
	return pod.Status.ContainerStatuses[0]
}

// newNamespace returns the name of a namespace of the test's own, in which pods
// can be created.
func newNamespace(t *testing.T, s *sandbox.Sandbox) string {
	t.Helper()
	client := kube(t, s)
	namespaces := client.CoreV1().Namespaces()
	made, err := namespaces.Create(t.Context(), &v1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "pods-"}}, metav1.CreateOptions{})
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, namespaces.Delete(context.Background(), made.Name, metav1.DeleteOptions{}))
	})
	require.Eventually(t, func() bool {
		_, err := client.CoreV1().ServiceAccounts(made.Name).Get(t.Context(), "default", metav1.GetOptions{})
		return err == nil
	}, patience, lookEvery)
	return made.Name
}
