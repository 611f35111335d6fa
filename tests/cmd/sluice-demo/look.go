package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/config"
	"sluice.dev/sluice/tests/sandbox/load"
	"sluice.dev/sluice/workflows"
)

// showPods prints the pods as `kubectl get pods` does, with their version.
func (s *story) showPods(ctx context.Context) error {
	pods, err := s.Kube.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("listing pods: %w", err)
	}
	s.rows(podRows(pods.Items))
	return nil
}

// podRows is a table of pods, ordered by version and name.
func podRows(pods []corev1.Pod) [][]string {
	var rows [][]string
	for _, pod := range pods {
		ready, state := 0, string(pod.Status.Phase)
		for _, c := range pod.Status.ContainerStatuses {
			if c.Ready {
				ready++
			}
		}
		if pod.DeletionTimestamp != nil {
			state = "Terminating"
		}
		rows = append(rows, []string{
			pod.Name, tag(pod.Spec.Containers[0].Image), fmt.Sprintf("%d/%d", ready, len(pod.Spec.Containers)), state,
		})
	}
	slices.SortFunc(rows, func(a, b []string) int { return cmp.Or(cmp.Compare(a[1], b[1]), cmp.Compare(a[0], b[0])) })
	return append([][]string{{"POD", "VERSION", "READY", "STATUS"}}, rows...)
}

// tag of an image.
func tag(image string) string { return image[strings.LastIndex(image, ":")+1:] }

// The annotations that make an Ingress a canary.
const (
	nginxPrefix      = "nginx.ingress.kubernetes.io/"
	canaryAnnotation = nginxPrefix + "canary"
)

// showCanaryIngress prints the canary Ingress with its annotations.
func (s *story) showCanaryIngress(ctx context.Context) error {
	ingresses, err := s.Kube.NetworkingV1().Ingresses(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("listing Ingresses: %w", err)
	}
	s.rows(ingressRows(ingresses.Items))
	return nil
}

// ingressRows is a table of the canary Ingresses and their annotations.
func ingressRows(ingresses []networkingv1.Ingress) [][]string {
	rows := [][]string{{"INGRESS", "ANNOTATION", "VALUE"}}
	for _, ingress := range ingresses {
		if ingress.Annotations[canaryAnnotation] != "true" {
			continue
		}
		name := ingress.Name
		for _, key := range slices.Sorted(maps.Keys(ingress.Annotations)) {
			if strings.HasPrefix(key, nginxPrefix) {
				rows = append(rows, []string{name, key, ingress.Annotations[key]})
				name = ""
			}
		}
	}
	return rows
}

// holdMark names the answers since a hold began.
func holdMark(st workflows.Status) string { return fmt.Sprint("hold ", st.Step) }

// holdTitle says what holds.
func holdTitle(st workflows.Status, version string) string {
	what := fmt.Sprintf("%d %% of the requests", st.Confirmed.Weight)
	if matches := config.MatchesText(st.Confirmed.Matches); matches != "" {
		what = matches
	}
	return fmt.Sprintf("Hold, step %d of %d: %s to %s", st.Step, len(st.Steps), what, version)
}

// endTitle says what became of a rollout.
func endTitle(st workflows.Status, version string) string {
	return fmt.Sprintf("%s after %.1f s: all requests to %s", st.Phase, st.Since.Sub(st.Started).Seconds(), version)
}

// showAnswers prints the share of answers of each version, for each cohort
// where they differ.
func (s *story) showAnswers(w load.Window, byCohort bool) {
	loss := good
	if w.Lost() > 0 {
		loss = bad
	}
	s.line(loss, fmt.Sprintf("  %d answers in %.1f s, %d requests lost", w.Good, w.To.Sub(w.From).Seconds(), w.Lost()))
	s.rows(answerRows(w, byCohort))
}

// answerRows is a table of the shares of versions.
func answerRows(w load.Window, byCohort bool) [][]string {
	var rows [][]string
	if !byCohort {
		for _, v := range slices.Sorted(maps.Keys(w.Versions)) {
			rows = append(rows, []string{v, bar(w.Share(v)), percent(w.Share(v)), fmt.Sprint(w.Versions[v])})
		}
		return append([][]string{{"VERSION", "SHARE", "", "ANSWERS"}}, rows...)
	}
	for _, name := range slices.Sorted(maps.Keys(w.Cohorts)) {
		group := w.Cohorts[name]
		for _, v := range slices.Sorted(maps.Keys(group.Versions)) {
			rows = append(rows, []string{name, v, bar(group.Share(v)), percent(group.Share(v)), fmt.Sprint(group.Versions[v])})
		}
	}
	return append([][]string{{"CLIENTS", "VERSION", "SHARE", "", "ANSWERS"}}, rows...)
}

// liveShares tells the shares in one line.
func liveShares(w load.Window, byCohort bool) string {
	text := fmt.Sprintf("%d answers, %d lost", w.Good, w.Lost())
	add := func(who string, versions map[string]int64, share func(string) float64) {
		for _, v := range slices.Sorted(maps.Keys(versions)) {
			text += fmt.Sprintf(", %s%s %s", who, v, strings.TrimSpace(percent(share(v))))
		}
	}
	if !byCohort {
		add("", w.Versions, w.Share)
		return text
	}
	for _, name := range slices.Sorted(maps.Keys(w.Cohorts)) {
		group := w.Cohorts[name]
		add(name+" ", group.Versions, group.Share)
	}
	return text
}

// least is how many answers a share is told from at least.
const least = 300

// lookEvery is the pause between two looks at what clients see.
const lookEvery = 100 * time.Millisecond

// measure watches a hold for the pause and shows what clients saw.
func (s *story) measure(ctx context.Context, st workflows.Status) error {
	byCohort := len(st.Confirmed.Matches) > 0
	w, err := s.sample(ctx, holdMark(st), byCohort)
	if err != nil {
		return err
	}
	s.showAnswers(w, byCohort)
	return nil
}

// sample returns what clients saw since a mark, after the pause and with enough
// answers to tell a share.
func (s *story) sample(ctx context.Context, mark string, byCohort bool) (load.Window, error) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		w, err := s.load.Window(ctx, mark)
		if err != nil {
			return w, err
		}
		if w.Good >= least && w.To.Sub(w.From) >= s.pause {
			return w, nil
		}
		s.draw(liveShares(w, byCohort))
		select {
		case <-ctx.Done():
			return w, context.Cause(ctx)
		case <-ticker.C:
		}
	}
}
