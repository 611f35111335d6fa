// Package fakenodes plays nodes that run nothing: the pods on them exist only
// in the API, become ready at once and end at once. They make a cluster of
// thousands of pods out of one small process, for tests of scale.
package fakenodes

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	clientset "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
)

type options struct {
	kubeconfig, podCIDR string
	nodes               int
}

// NewCommand returns the command `fake-nodes`, which runs until SIGTERM or
// SIGINT. The nodes stay in the API and become unready without it.
func NewCommand() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "fake-nodes",
		Short: "Play nodes whose pods only exist in the API",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			klog.SetSlogLogger(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})))
			return run(ctx, o)
		},
	}
	cmd.Flags().StringVar(&o.kubeconfig, "kubeconfig", "", "file that says how to reach the API server")
	cmd.Flags().IntVar(&o.nodes, "nodes", 10, "number of nodes, named fake-0, fake-1 and so on; each holds 1,000 pods")
	cmd.Flags().StringVar(&o.podCIDR, "pod-cidr", "10.245.0.0/16", "IPv4 range of the pods' addresses; nothing answers on them")
	return cmd
}

func run(ctx context.Context, o options) error {
	if o.kubeconfig == "" {
		return errors.New("reading flags: --kubeconfig is empty; name the file that says how to reach the API server")
	}
	if o.nodes < 1 || o.nodes > 1000 {
		return fmt.Errorf("reading flags: --nodes is %d; want 1 to 1000", o.nodes)
	}
	addresses, err := newAddresses(o.podCIDR)
	if err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", o.kubeconfig)
	if err != nil {
		return fmt.Errorf("reading --kubeconfig %s: %w", o.kubeconfig, err)
	}
	config.QPS = -1 // The point of these nodes is speed.
	config.ContentType = "application/vnd.kubernetes.protobuf"
	client, err := clientset.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("making the API client: %w", err)
	}
	if err := runNodes(ctx, client, o.nodes); err != nil {
		return err
	}
	return newPods(client, addresses).run(ctx)
}
