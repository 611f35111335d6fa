package watch

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"time"

	arv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sluice.dev/sluice/activities/release"
	"sluice.dev/sluice/starter/watch/admission"
)

// Hook says how the API server reaches the webhooks.
type Hook struct {
	// Address to listen on, as host:port.
	Address string
	// URL under which the API server reaches that address; where empty, it is
	// reached through Service in the home namespace.
	URL     string
	Service string
	// FailurePolicy for the hold: Ignore lets writes pass while the webhook is
	// away, and the watcher takes back what slips through; Fail refuses them.
	FailurePolicy arv1.FailurePolicyType
}

const (
	// hookTimeout is what a write waits at most; an answer takes about a
	// millisecond.
	hookTimeout = 2
	// checkInterval is how often certificate and registration are looked at.
	checkInterval = 10 * time.Minute
	// spreading is more than API servers take to see a changed registration.
	spreading = 5 * time.Second
)

// hosts that the certificate is for.
func (h *Hook) hosts(home string) ([]string, error) {
	if h.URL == "" {
		return []string{h.Service + "." + home + ".svc"}, nil
	}
	u, err := url.Parse(h.URL)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" {
		return nil, fmt.Errorf("the webhook's URL %q: write https://HOST:PORT", h.URL)
	}
	return []string{u.Hostname()}, nil
}

// serve answers the API server until ctx ends, and keeps the webhooks known to it.
func (h *Hook) serve(ctx context.Context, w *Watcher) error {
	hosts, err := h.hosts(w.Home)
	if err != nil {
		return err
	}
	c := &certificate{client: w.Kube, namespace: w.Home, secret: w.leaseName() + "-webhook", hosts: hosts, now: w.Now}
	bundle, pair, err := c.ensure(ctx)
	if err != nil {
		return err
	}
	c.current.Store(pair)
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", h.Address)
	if err != nil {
		return fmt.Errorf("listening on %q: %w", h.Address, err)
	}
	judge := &admission.Server{Rollouts: w, Log: w.Log, Observe: w.Metrics.answered}
	server := &http.Server{
		Handler: judge.Handler(), TLSConfig: c.config(), ReadHeaderTimeout: 5 * time.Second,
		// Clients that end a handshake early are no news.
		ErrorLog: slog.NewLogLogger(w.Log.Handler(), slog.LevelDebug),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.ServeTLS(listener, "", "") }()
	defer server.Close()
	if err := h.register(ctx, w, bundle); err != nil {
		return err
	}
	w.hooked.Store(true)
	defer w.hooked.Store(false)
	w.Log.Info("holding changes of workloads with a Rollout", "webhook", h.Address)
	return h.keep(ctx, w, c, failed)
}

// keep renews certificate and registration.
func (h *Hook) keep(ctx context.Context, w *Watcher, c *certificate, failed <-chan error) error {
	ticker := time.NewTicker(checkInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			return err
		case <-ticker.C:
		}
		if err := h.renew(ctx, w, c); err != nil {
			w.Log.Warn("the webhooks are looked at again later", "error", err)
		}
	}
}

// renew looks at certificate and registration once. A new certificate is served
// after the API servers have had time to learn what they shall trust.
func (h *Hook) renew(ctx context.Context, w *Watcher, c *certificate) error {
	bundle, pair, err := c.ensure(ctx)
	if err != nil {
		return err
	}
	if err := h.register(ctx, w, bundle); err != nil || c.serves(pair) {
		return err
	}
	select {
	case <-ctx.Done():
	case <-time.After(spreading):
		c.current.Store(pair)
		w.Log.Info("the certificate of the webhooks was renewed", "until", pair.Leaf.NotAfter)
	}
	return nil
}

// register makes the webhooks known to the API server, or corrects them.
func (h *Hook) register(ctx context.Context, w *Watcher, bundle []byte) error {
	client := w.Kube.AdmissionregistrationV1()
	mutating := h.mutating(w, bundle)
	haveM, err := client.MutatingWebhookConfigurations().Get(ctx, mutating.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		_, err = client.MutatingWebhookConfigurations().Create(ctx, mutating, metav1.CreateOptions{FieldManager: release.WatchManager})
	case err == nil && !reflect.DeepEqual(haveM.Webhooks, mutating.Webhooks):
		haveM.Webhooks = mutating.Webhooks
		_, err = client.MutatingWebhookConfigurations().Update(ctx, haveM, metav1.UpdateOptions{FieldManager: release.WatchManager})
	}
	if err != nil && !apierrors.IsAlreadyExists(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("registering the hold: %w", err)
	}
	validating := h.validating(w, bundle)
	haveV, err := client.ValidatingWebhookConfigurations().Get(ctx, validating.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		_, err = client.ValidatingWebhookConfigurations().Create(ctx, validating, metav1.CreateOptions{FieldManager: release.WatchManager})
	case err == nil && !reflect.DeepEqual(haveV.Webhooks, validating.Webhooks):
		haveV.Webhooks = validating.Webhooks
		_, err = client.ValidatingWebhookConfigurations().Update(ctx, haveV, metav1.UpdateOptions{FieldManager: release.WatchManager})
	}
	if err != nil && !apierrors.IsAlreadyExists(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("registering the rules of documents: %w", err)
	}
	return nil
}

// reach says where the API server finds a webhook.
func (h *Hook) reach(w *Watcher, path string, bundle []byte) arv1.WebhookClientConfig {
	config := arv1.WebhookClientConfig{CABundle: bundle}
	if h.URL != "" {
		config.URL = new(h.URL + path)
		return config
	}
	config.Service = &arv1.ServiceReference{Namespace: w.Home, Name: h.Service, Path: &path, Port: new(int32(443))}
	return config
}

// notBySluice leaves out the writes of the watcher and of the worker, which pass
// as they are anyway (admission.Judge, which older API servers still ask): they must
// not wait for a webhook that hangs, since a write that takes long may conflict with
// what controllers write meanwhile, as long as a workload rolls out. It is CEL over
// the AdmissionRequest.
var notBySluice = fmt.Sprintf("!has(request.options) || !has(request.options.fieldManager) || !(request.options.fieldManager in ['%s', '%s'])",
	release.FieldManager, release.WatchManager)

// mutating is the hold: updates of Deployments that carry our label, with the
// value of our class, and no others.
func (h *Hook) mutating(w *Watcher, bundle []byte) *arv1.MutatingWebhookConfiguration {
	return &arv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: w.leaseName()},
		Webhooks: []arv1.MutatingWebhook{{
			Name: "hold.sluice.dev", ClientConfig: h.reach(w, admission.PathHold, bundle),
			Rules:             rules(arv1.Rule{APIGroups: []string{"apps"}, APIVersions: []string{"v1"}, Resources: []string{"deployments"}}, arv1.Update),
			ObjectSelector:    &metav1.LabelSelector{MatchLabels: map[string]string{release.LabelBypass: release.BypassValue(w.Class)}},
			NamespaceSelector: &metav1.LabelSelector{},
			FailurePolicy:     &h.FailurePolicy, SideEffects: new(arv1.SideEffectClassNone), TimeoutSeconds: new(int32(hookTimeout)),
			AdmissionReviewVersions: []string{"v1"}, MatchPolicy: new(arv1.Equivalent), ReinvocationPolicy: new(arv1.IfNeededReinvocationPolicy),
			MatchConditions: []arv1.MatchCondition{{Name: "not-by-sluice", Expression: notBySluice}},
		}},
	}
}

// validating is the rules of documents. It never stands in the way of one while
// it is away: the watcher tells the same in the status.
func (h *Hook) validating(w *Watcher, bundle []byte) *arv1.ValidatingWebhookConfiguration {
	return &arv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: w.leaseName()},
		Webhooks: []arv1.ValidatingWebhook{{
			Name: "rollouts.sluice.dev", ClientConfig: h.reach(w, admission.PathValidate, bundle),
			Rules:             rules(arv1.Rule{APIGroups: w.caches.groups(), APIVersions: []string{"*"}, Resources: []string{"rollouts"}}, arv1.Create, arv1.Update),
			ObjectSelector:    &metav1.LabelSelector{},
			NamespaceSelector: &metav1.LabelSelector{},
			FailurePolicy:     new(arv1.Ignore), SideEffects: new(arv1.SideEffectClassNone), TimeoutSeconds: new(int32(hookTimeout)),
			AdmissionReviewVersions: []string{"v1"}, MatchPolicy: new(arv1.Equivalent),
		}},
	}
}

func rules(rule arv1.Rule, operations ...arv1.OperationType) []arv1.RuleWithOperations {
	rule.Scope = new(arv1.NamespacedScope)
	return []arv1.RuleWithOperations{{Operations: operations, Rule: rule}}
}
