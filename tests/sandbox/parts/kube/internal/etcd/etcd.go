// Package etcd runs a single etcd member for a cluster that may lose its data
// when the machine loses power, but not when a process dies.
package etcd

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/embed"
)

// startTimeout bounds how long the member may take to become leader of itself.
const startTimeout = 60 * time.Second

type options struct {
	dataDir, client, peer string
}

// NewCommand returns the command `etcd`, which serves until SIGTERM or SIGINT.
func NewCommand() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "etcd",
		Short: "Run one etcd member without fsync",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			return serve(ctx, o)
		},
	}
	cmd.Flags().StringVar(&o.dataDir, "data-dir", "", "folder of the data, made if missing")
	cmd.Flags().StringVar(&o.client, "listen-client", "http://127.0.0.1:2379", "URL to serve clients on")
	cmd.Flags().StringVar(&o.peer, "listen-peer", "http://127.0.0.1:2380", "URL to serve peers on; there are none, but etcd wants it")
	return cmd
}

func serve(ctx context.Context, o options) error {
	cfg, err := o.config()
	if err != nil {
		return err
	}
	member, err := embed.StartEtcd(cfg)
	if err != nil {
		return fmt.Errorf("starting etcd in %s: %w", o.dataDir, err)
	}
	defer member.Close()
	select {
	case <-member.Server.ReadyNotify():
	case <-ctx.Done():
		return nil
	case err := <-member.Err():
		return fmt.Errorf("starting etcd in %s: %w", o.dataDir, err)
	case <-time.After(startTimeout):
		return fmt.Errorf("starting etcd in %s: not ready after %s", o.dataDir, startTimeout)
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-member.Err():
		return fmt.Errorf("serving etcd on %s: %w", o.client, err)
	}
}

func (o options) config() (*embed.Config, error) {
	if o.dataDir == "" {
		return nil, errors.New("reading flags: --data-dir is empty; name the folder of etcd's data")
	}
	client, err := url.Parse(o.client)
	if err != nil {
		return nil, fmt.Errorf("reading --listen-client: %w", err)
	}
	peer, err := url.Parse(o.peer)
	if err != nil {
		return nil, fmt.Errorf("reading --listen-peer: %w", err)
	}
	cfg := embed.NewConfig()
	cfg.Name = "sandbox"
	cfg.Dir = o.dataDir
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{*client}, []url.URL{*client}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{*peer}, []url.URL{*peer}
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	// The page cache outlives a killed process, and a sandbox need not outlive
	// the machine: without fsync every write of the API server is faster.
	cfg.UnsafeNoFsync = true
	// Nobody else can be leader, so there is nothing to wait for.
	cfg.TickMs, cfg.ElectionMs = 50, 250
	cfg.LogLevel = "error"
	return cfg, nil
}
