// Command sluice-standin runs inside the sandbox and stands in for what does not
// run there: it serves metrics under the names of other gateways and exporters,
// and guards Prometheus with TLS and credentials. See package standin. It reads
// its settings as JSON from standard input, and ends on SIGTERM.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"sluice.dev/sluice/tests/sandbox/standin"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "sluice-standin:", err)
		os.Exit(1)
	}
}

const headerTimeout = 5 * time.Second

// run serves until ctx ends.
func run(ctx context.Context) error {
	var s standin.Settings
	if err := json.NewDecoder(os.Stdin).Decode(&s); err != nil {
		return fmt.Errorf("reading the settings: %w", err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return fmt.Errorf("reading the kubeconfig: %w", err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("connecting to the cluster: %w", err)
	}
	backend, err := url.Parse(s.Backend)
	if err != nil {
		return fmt.Errorf("reading the address of the backend: %w", err)
	}
	open, err := net.Listen("tcp", s.MetricsAddress)
	if err != nil {
		return fmt.Errorf("listening for Prometheus: %w", err)
	}
	guarded, err := net.Listen("tcp", s.GuardAddress)
	if err != nil {
		return fmt.Errorf("listening as Prometheus: %w", err)
	}
	metrics := &http.Server{Handler: standin.Metrics(s.App, s.Gateways, client), ReadHeaderTimeout: headerTimeout}
	guard := &http.Server{Handler: standin.Guard(s.Credentials, backend), ReadHeaderTimeout: headerTimeout}
	ended := make(chan error, 2)
	go func() { ended <- metrics.Serve(open) }()
	go func() { ended <- guard.ServeTLS(guarded, s.CertFile, s.KeyFile) }()
	fmt.Println(standin.Serving)
	select {
	case err := <-ended:
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
		return errors.Join(metrics.Close(), guard.Close())
	}
}
