package watch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"time"

	arv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
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

	linger time.Duration // lingering, where it is not set
}

const (
	// hookTimeout is what a write waits at most; an answer takes about a
	// millisecond.
	hookTimeout = 2
	// checkInterval is how often certificate and registration are looked at.
	checkInterval = 10 * time.Minute
	// spreading is more than API servers take to see a changed registration.
	spreading = 5 * time.Second
	// lingering is more than API servers take to learn that a replica which was told
	// to stop is none of the Service's any more. Until then it goes on to answer.
	lingering = 5 * time.Second
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
	defer drain(server)
	if err := h.register(ctx, w, bundle); err != nil {
		return err
	}
	w.hooked.Store(true)
	w.Log.Info("holding changes of workloads with a Rollout", "webhook", h.Address)
	err = h.keep(ctx, w, c, failed)
	// The probe says so before anything else does.
	w.hooked.Store(false)
	if err != nil || !told(ctx) {
		return err
	}
	wait := cmp.Or(h.linger, lingering)
	w.Log.Info("stopping: the API server is answered for a moment longer", "for", wait)
	select {
	case err = <-failed:
	case <-time.After(wait):
	}
	return err
}

// told says that ctx has ended because the process was told to stop. A watcher that
// ends by itself is to be started again at once.
func told(ctx context.Context) bool {
	return ctx.Err() != nil && !errors.Is(context.Cause(ctx), errOver)
}

// errOver ends what a watcher does that has ended by itself.
var errOver = errors.New("the watcher has ended")

// drain takes no more questions and lets those in flight be answered: nobody waits
// for an answer longer than the webhook's timeout.
func drain(server *http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), hookTimeout*time.Second)
	defer cancel()
	if server.Shutdown(ctx) != nil {
		_ = server.Close()
	}
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
	hold, checks := h.mutating(w, bundle), h.validating(w, bundle)
	err := register(ctx, w, "the hold", client.MutatingWebhookConfigurations(), hold, func(have *arv1.MutatingWebhookConfiguration) (changed bool) {
		changed, have.Webhooks = !reflect.DeepEqual(have.Webhooks, hold.Webhooks), hold.Webhooks
		return changed
	})
	if err != nil {
		return err
	}
	return register(ctx, w, "the rules of documents", client.ValidatingWebhookConfigurations(), checks, func(have *arv1.ValidatingWebhookConfiguration) (changed bool) {
		changed, have.Webhooks = !reflect.DeepEqual(have.Webhooks, checks.Webhooks), checks.Webhooks
		return changed
	})
}

// registrations are the webhook configurations of one kind.
type registrations[T metav1.Object] interface {
	Get(ctx context.Context, name string, opts metav1.GetOptions) (T, error)
	Create(ctx context.Context, made T, opts metav1.CreateOptions) (T, error)
	Update(ctx context.Context, changed T, opts metav1.UpdateOptions) (T, error)
}

// register makes one configuration what is wanted; correct does so with the webhooks of
// one that is there, and says whether they were others.
func register[T metav1.Object](ctx context.Context, w *Watcher, what string, client registrations[T], want T, correct func(have T) (changed bool)) error {
	have, err := client.Get(ctx, want.GetName(), metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		_, err = client.Create(ctx, want, metav1.CreateOptions{FieldManager: release.WatchManager})
	case err == nil:
		if err := w.foreign(have); err != nil {
			return err
		}
		notes := maps.Collect(maps.All(have.GetAnnotations()))
		if changed := correct(have); changed || notes[annotationHome] != w.Home {
			notes[annotationHome] = w.Home
			have.SetAnnotations(notes)
			_, err = client.Update(ctx, have, metav1.UpdateOptions{FieldManager: release.WatchManager})
		}
	}
	if err != nil && !apierrors.IsAlreadyExists(err) && !apierrors.IsConflict(err) {
		return fmt.Errorf("registering %s: %w", what, err)
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

// namespaces selects those that are watched, by the label that every namespace has.
func (w *Watcher) namespaces() *metav1.LabelSelector {
	if len(w.Namespaces) == 0 {
		return &metav1.LabelSelector{}
	}
	return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
		{Key: corev1.LabelMetadataName, Operator: metav1.LabelSelectorOpIn, Values: slices.Sorted(slices.Values(w.Namespaces))},
	}}
}

// annotationHome is on our webhooks: the home namespace of the watchers that keep
// them. Those of another home would point them to themselves, and be pointed back.
const annotationHome = "sluice.dev/home"

// foreign is the error where webhooks of our name are kept by watchers of another
// home.
func (w *Watcher) foreign(have metav1.Object) error {
	home := have.GetAnnotations()[annotationHome]
	if home == "" || home == w.Home {
		return nil
	}
	return fmt.Errorf("the webhooks %s are those of watchers in namespace %s: give these a --class of their own, or delete the webhooks if those are gone", have.GetName(), home)
}

// mutating is the hold: updates of Deployments that carry our label, with the
// value of our class, and no others.
func (h *Hook) mutating(w *Watcher, bundle []byte) *arv1.MutatingWebhookConfiguration {
	return &arv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: w.leaseName(), Annotations: map[string]string{annotationHome: w.Home}},
		Webhooks: []arv1.MutatingWebhook{{
			Name: "hold.sluice.dev", ClientConfig: h.reach(w, admission.PathHold, bundle),
			Rules:             rules(arv1.Rule{APIGroups: []string{"apps"}, APIVersions: []string{"v1"}, Resources: []string{"deployments"}}, arv1.Update),
			ObjectSelector:    &metav1.LabelSelector{MatchLabels: map[string]string{release.LabelBypass: release.BypassValue(w.Class)}},
			NamespaceSelector: w.namespaces(),
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
		ObjectMeta: metav1.ObjectMeta{Name: w.leaseName(), Annotations: map[string]string{annotationHome: w.Home}},
		Webhooks: []arv1.ValidatingWebhook{{
			Name: "rollouts.sluice.dev", ClientConfig: h.reach(w, admission.PathValidate, bundle),
			Rules:             rules(arv1.Rule{APIGroups: w.caches.groups(), APIVersions: []string{"*"}, Resources: []string{"rollouts"}}, arv1.Create, arv1.Update),
			ObjectSelector:    &metav1.LabelSelector{},
			NamespaceSelector: w.namespaces(),
			FailurePolicy:     new(arv1.Ignore), SideEffects: new(arv1.SideEffectClassNone), TimeoutSeconds: new(int32(hookTimeout)),
			AdmissionReviewVersions: []string{"v1"}, MatchPolicy: new(arv1.Equivalent),
		}},
	}
}

func rules(rule arv1.Rule, operations ...arv1.OperationType) []arv1.RuleWithOperations {
	rule.Scope = new(arv1.NamespacedScope)
	return []arv1.RuleWithOperations{{Operations: operations, Rule: rule}}
}
