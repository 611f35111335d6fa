package watch

import (
	"context"
	"errors"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// The times of the lease: a watcher that dies is replaced within leaseDuration.
const (
	leaseDuration = 8 * time.Second
	renewDeadline = 5 * time.Second
	retryPeriod   = 2 * time.Second
)

// leaseName is the name of the Lease; each class has its own.
func (w *Watcher) leaseName() string {
	if w.Class == "" {
		return "sluice-watch"
	}
	return "sluice-watch-" + w.Class
}

// lead acts while this replica has the lease. The lease is given back at the end
// of ctx; losing it is an error.
func (w *Watcher) lead(ctx context.Context) error {
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: &resourcelock.LeaseLock{
			LeaseMeta: metav1.ObjectMeta{Namespace: w.Home, Name: w.leaseName()},
			Client:    w.Kube.CoordinationV1(), LockConfig: resourcelock.ResourceLockConfig{Identity: w.Identity},
		},
		LeaseDuration: leaseDuration, RenewDeadline: renewDeadline, RetryPeriod: retryPeriod,
		ReleaseOnCancel: true, Name: w.leaseName(),
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) {
				w.Log.Info("leading", "identity", w.Identity)
				w.act(ctx)
			},
			OnStoppedLeading: func() { w.Log.Info("not leading", "identity", w.Identity) },
		},
	})
	if err != nil {
		return err
	}
	elector.Run(ctx)
	if ctx.Err() != nil {
		return nil
	}
	return errors.New("the lease was lost: another replica acts; start again")
}
