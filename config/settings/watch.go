package settings

import (
	"strings"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"
)

// Watch is what only `sluice watch` needs.
type Watch struct {
	// Namespaces to watch; all where empty.
	Namespaces []string `mapstructure:"namespaces"`
	// Class of the Rollouts to follow, by label; those with none where empty.
	Class string `mapstructure:"class"`
	// Home is the namespace of the watcher's own Lease and Secret.
	Home string `mapstructure:"home"`
	// WebhookAddress to listen on as host:port; where empty there is no webhook.
	WebhookAddress string `mapstructure:"webhookAddress"`
	// WebhookURL under which the API server reaches it; WebhookService in the home
	// namespace where empty.
	WebhookURL     string `mapstructure:"webhookURL"`
	WebhookService string `mapstructure:"webhookService"`
	// FailurePolicy of the hold: Ignore or Fail.
	FailurePolicy string `mapstructure:"failurePolicy"`
	// MetricsAddress serves /metrics, /healthz and /readyz; nothing where empty.
	MetricsAddress string `mapstructure:"metricsAddress"`
}

// unclassed is what workloads whose Rollouts have no class are labelled with.
const unclassed = "true"

// watchOptions are those of the watcher alone.
var watchOptions = []option{
	{key: "watch.namespaces", flag: "watch-namespaces", value: []string{}, usage: "Kubernetes namespaces to watch (default: all)"},
	{key: "watch.class", flag: "class", value: "", usage: "follow the Rollouts with this label sluice.dev/class (default: those without)"},
	{key: "watch.home", flag: "home", value: "sluice-system", usage: "namespace of the watcher's own Lease and Secret"},
	{key: "watch.webhookAddress", flag: "webhook-address", value: ":9443", usage: "host:port of the webhooks; empty serves none"},
	{key: "watch.webhookURL", flag: "webhook-url", value: "", usage: "where the API server reaches them, https://HOST:PORT (default: the Service)"},
	{key: "watch.webhookService", flag: "webhook-service", value: "sluice-watch", usage: "Service in the home namespace that leads to the webhooks"},
	{key: "watch.failurePolicy", flag: "webhook-failure-policy", value: "Ignore", usage: "Ignore or Fail: what becomes of a change while the webhook is away"},
	{key: "watch.metricsAddress", flag: "watch-metrics-address", value: ":9465", usage: "host:port of /metrics and the probes; empty serves none"},
}

// AddWatchFlags adds the flags of the watcher to a set, on top of AddFlags.
func AddWatchFlags(flags *pflag.FlagSet) { addFlags(flags, watchOptions) }

func (w *Watch) complete(wrong func(key, format string, args ...any)) {
	for key, address := range map[string]string{"watch.webhookAddress": w.WebhookAddress, "watch.metricsAddress": w.MetricsAddress} {
		if address != "" && !isAddress(address) {
			wrong(key, "%q is not an address: write host:port or :port", address)
		}
	}
	if w.WebhookURL != "" && !strings.HasPrefix(w.WebhookURL, "https://") {
		wrong("watch.webhookURL", "%q is not reached by the API server: write https://HOST:PORT", w.WebhookURL)
	}
	if w.Class != "" && len(validation.IsDNS1123Label(w.Class)) > 0 || w.Class == unclassed {
		wrong("watch.class", "%q cannot be a class: write small letters, digits and dashes, and not %s", w.Class, unclassed)
	}
	if w.FailurePolicy != "Ignore" && w.FailurePolicy != "Fail" {
		wrong("watch.failurePolicy", "unknown policy %q: write Ignore or Fail", w.FailurePolicy)
	}
}
