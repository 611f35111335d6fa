package chaos

import (
	"context"
	"log/slog"
	"math"
	"sync"
	"time"

	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"google.golang.org/grpc"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/activities/pending"
	"sluice.dev/sluice/activities/preflight"
	"sluice.dev/sluice/activities/traffic"
	"sluice.dev/sluice/activities/traffic/gateway"
	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/tests/chaos/frontend"
	fakegateway "sluice.dev/sluice/tests/chaos/gateway"
	"sluice.dev/sluice/workflows"
)

// workerProcess is one process of sluice-worker: its connections can be cut at
// once, which is all that the others see of a crash.
type workerProcess struct {
	link   *frontend.Link
	once   sync.Once
	ending sync.WaitGroup
	stop   func()
}

// stopTimeout is how long a worker that stops lets operations finish.
const stopTimeout = time.Second

// clusterName is what the activities' task queue is called after.
const clusterName = "default"

func silent() *slog.Logger { return slog.New(slog.DiscardHandler) }

// dial connects to Temporal over a link.
func (s *sim) dial(link *frontend.Link) client.Client {
	c, err := client.NewLazyClient(client.Options{
		HostPort: "passthrough:///memory", Namespace: "default", Logger: sdklog.NewStructuredLogger(silent()), Identity: "memory",
		ConnectionOptions: client.ConnectionOptions{DialOptions: []grpc.DialOption{s.frontend.Dial(link)}},
	})
	s.must(err)
	return c
}

// startWorker starts a worker, with what sluice-worker registers.
func (s *sim) startWorker() {
	w := &workerProcess{link: frontend.NewLink()}
	cluster := kube.New(kube.Options{Client: s.client(w), Logger: silent()})
	s.must(cluster.Start(context.Background()))
	gateways, err := gateway.New(s.gatewayConfig(), cluster, fakegateway.Transport{Replicas: s.replicas, Application: s.application})
	s.must(err)
	connected := s.dial(w.link)
	options := worker.Options{
		WorkerStopTimeout: stopTimeout, MaxConcurrentWorkflowTaskPollers: 2, MaxConcurrentActivityTaskPollers: 2,
		DeadlockDetectionTimeout: time.Duration(math.MaxInt64),
	}
	deciding := worker.New(connected, workflows.TaskQueue, options)
	workflows.Register(deciding)
	acting := worker.New(connected, workflows.ActivityTaskQueue(clusterName), options)
	acting.RegisterActivity(&preflight.Activities{Cluster: cluster, Routes: traffic.Reader{}, Gateway: traffic.Checker{Gateways: gateways, Reach: true}})
	acting.RegisterActivity(&traffic.Activities{Cluster: cluster, Gateways: gateways})
	watches := pending.New(connected, silent())
	acting.RegisterActivity(&workload.Activities{
		Cluster: cluster, Gateway: traffic.Endpoints{Cluster: cluster, Gateways: gateways},
		Routes: traffic.Looker{Cluster: cluster, Gateways: gateways}, Watches: watches,
	})
	for _, p := range []worker.Worker{acting, deciding} {
		s.must(p.Start())
	}
	w.stop = func() {
		deciding.Stop()
		acting.Stop()
		s.closeWatches(watches)
		cluster.Stop()
		connected.Close()
	}
	s.mu.Lock()
	s.workers = append(s.workers, w)
	s.mu.Unlock()
	if !s.running() {
		w.end()
	}
}

// closeWatches gives watches back as far as the link allows.
func (s *sim) closeWatches(watches *pending.Registry) {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	watches.Close(ctx)
}

// end cuts a worker off and stops what is left of it.
func (w *workerProcess) end() {
	w.once.Do(func() {
		w.link.Cut()
		w.stop()
	})
}

// crash cuts a worker off from everything, at once; another one starts soon.
func (s *sim) crash(w *workerProcess) {
	w.once.Do(func() {
		w.link.Cut()
		w.ending.Go(w.stop)
		time.AfterFunc(restarting, func() {
			if s.running() {
				s.startWorker()
			}
		})
	})
}

// stopWorkers ends all of them.
func (s *sim) stopWorkers() {
	s.mu.Lock()
	workers := s.workers
	s.mu.Unlock()
	for _, w := range workers {
		w.end()
		w.ending.Wait()
	}
}
