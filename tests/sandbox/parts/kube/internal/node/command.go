// Package node runs the real kubelet over a runtime in which the container of
// a pod is a process, so that pods start, are probed, restart, crash and end as
// on a cluster, on a machine without a container engine.
package node

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"
	"k8s.io/klog/v2"
)

// options are the flags of the command.
type options struct {
	kubeconfig, name, rootDir, podCIDR, nodeIP string
	images                                     []string
	maxPods, port                              int32
}

// NewCommand returns the command `node`, which runs until SIGTERM or SIGINT.
// Pods end with it, and start again with the next node of the same root folder.
func NewCommand() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "node",
		Short: "Run a node whose pods are processes",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.complete(); err != nil {
				return err
			}
			quiet(cmd)
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			return run(ctx, o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.kubeconfig, "kubeconfig", "", "file that says how to reach the API server")
	f.StringVar(&o.name, "name", "node-1", "name of the node")
	f.StringVar(&o.rootDir, "root-dir", "", "folder of the node, made if missing; one node at a time")
	f.StringVar(&o.podCIDR, "pod-cidr", "10.244.1.0/24", "IPv4 range of the pods' addresses; a local route must cover it")
	f.StringVar(&o.nodeIP, "node-ip", "192.0.2.10", "the node's own address; an interface must have it")
	f.StringArrayVar(&o.images, "image", nil, "PREFIX=BINARY: images whose name (without tag) is PREFIX or below it run BINARY; repeatable")
	f.Int32Var(&o.maxPods, "max-pods", 110, "number of pods that fit on the node")
	f.Int32Var(&o.port, "port", 10250, "port of the kubelet's server on the node's address, for kubectl logs")
	return cmd
}

// complete checks the flags and makes paths absolute.
func (o *options) complete() error {
	if o.kubeconfig == "" {
		return errors.New("reading flags: --kubeconfig is empty; name the file that says how to reach the API server")
	}
	if o.rootDir == "" {
		return errors.New("reading flags: --root-dir is empty; name a folder for the node")
	}
	root, err := filepath.Abs(o.rootDir)
	if err != nil {
		return fmt.Errorf("reading --root-dir: %w", err)
	}
	o.rootDir = root
	if err := os.MkdirAll(root, 0o755); err != nil {
		return fmt.Errorf("making --root-dir: %w", err)
	}
	return nil
}

// quiet drops the kubelet's informational lines unless --v asks for them.
func quiet(cmd *cobra.Command) {
	if v := cmd.Flags().Lookup("v"); v != nil && v.Value.String() != "0" {
		return
	}
	klog.SetSlogLogger(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})))
}
