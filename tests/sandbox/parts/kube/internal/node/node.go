package node

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	clientset "k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/cert"
	"k8s.io/kubernetes/pkg/capabilities"
	"k8s.io/kubernetes/pkg/features"
	"k8s.io/kubernetes/pkg/kubelet"
	"k8s.io/kubernetes/pkg/kubelet/server"

	"sluice.dev/sluice/tests/sandbox/parts/kube/internal/runtime"
)

// The dead containers of a running pod that are kept: the last one, for its
// exit code and log, in as many pods as there are.
const (
	maxDeadPerContainer = 1
	unlimited           = -1
)

// apiInterval is how often a node that starts asks for the API server.
const apiInterval = 50 * time.Millisecond

// shutdownTimeout bounds the killing of all pods when the node ends.
const shutdownTimeout = 5 * time.Second

// run runs the node until ctx ends, and then kills what is left of its pods.
func run(ctx context.Context, o options) error {
	lock, err := lockRoot(ctx, o.rootDir, 2*shutdownTimeout)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := runtime.RemoveLeftovers(o.rootDir); err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", o.kubeconfig)
	if err != nil {
		return fmt.Errorf("reading --kubeconfig %s: %w", o.kubeconfig, err)
	}
	config.QPS = -1 // A limit would only slow the pods of a test down.
	containers, images, err := newRuntime(o)
	if err != nil {
		return err
	}
	if err := waitForAPI(ctx, config, o.name); err != nil {
		if ctx.Err() != nil {
			return nil // Ended before it began.
		}
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer cancel()
		containers.Shutdown(ctx)
	}()
	if err := startKubelet(ctx, o, config, containers, images); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// waitForAPI waits until the API server answers for the node of a name, which
// it need not know yet. The kubelet would wait too, but it doubles its pause
// each time, and says so. A node may read no other node than itself.
func waitForAPI(ctx context.Context, config *rest.Config, name string) error {
	client, err := clientset.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("making the node's API client: %w", err)
	}
	tick := time.NewTicker(apiInterval)
	defer tick.Stop()
	for {
		_, err = client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		if err == nil || apierrors.IsNotFound(err) {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting for the API server at %s: %w", config.Host, err)
		}
	}
}

// lockRoot makes sure that no other node owns the root folder. One that is
// just ending gets until the end of patience.
func lockRoot(ctx context.Context, root string, patience time.Duration) (*os.File, error) {
	path := filepath.Join(root, "lock")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_CLOEXEC, 0o644)
	if err != nil {
		return nil, fmt.Errorf("locking --root-dir: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return file, nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			file.Close()
			return nil, fmt.Errorf("locking --root-dir: %s is held by a running node; end it or name another folder: %w", path, err)
		}
	}
}

func newRuntime(o options) (*runtime.Runtime, *runtime.ImageService, error) {
	images, err := runtime.NewImages(o.images)
	if err != nil {
		return nil, nil, err
	}
	addresses, err := runtime.NewAddresses(o.podCIDR, filepath.Join(o.rootDir, "last-address"), time.Now)
	if err != nil {
		return nil, nil, err
	}
	containers, service := runtime.New(runtime.Options{Root: o.rootDir, NodeIP: o.nodeIP, Addresses: addresses, Images: images})
	return containers, service, nil
}

// startKubelet starts the kubelet in the background.
func startKubelet(ctx context.Context, o options, config *rest.Config, containers *runtime.Runtime, images *runtime.ImageService) error {
	gates := map[string]bool{
		// Without it a pod's start and end are noticed up to a second late.
		string(features.EventedPLEG): true,
		// Makes the kubelet forgive what an ordinary user may not do.
		string(features.KubeletInUserNamespace): true,
		// Reads cgroups, and complains about every pod when there are none.
		string(features.InPlacePodLevelResourcesVerticalScaling): false,
	}
	if err := utilfeature.DefaultMutableFeatureGate.SetFromMap(gates); err != nil {
		return fmt.Errorf("setting the kubelet's feature gates: %w", err)
	}
	capabilities.Initialize(capabilities.Capabilities{AllowPrivileged: true})
	kubelet.ContainerLogsDir = filepath.Join(o.rootDir, "container-logs")
	settings, err := configuration(o)
	if err != nil {
		return err
	}
	deps, err := dependencies(ctx, o, config, containers, images)
	if err != nil {
		return err
	}
	k, err := kubelet.NewMainKubelet(ctx, settings, deps, nil,
		o.name, types.NodeName(o.name), []net.IP{net.ParseIP(o.nodeIP)}, "sandbox://"+o.name, "",
		filepath.Join(o.rootDir, "pki"), o.rootDir, settings.PodLogsDir, "", "",
		true, nil, nil, "", false, false, metav1.Duration{}, maxDeadPerContainer, unlimited, nil, unlimited, false)
	if err != nil {
		return fmt.Errorf("making the kubelet: %w", err)
	}
	k.BirthCry()
	k.StartGarbageCollection(ctx)
	go k.Run(ctx, deps.PodConfig.Updates())
	go k.ListenAndServe(ctx, settings, deps.TLSConfig, nil, deps.TracerProvider)
	return nil
}

// serverCertificate makes a certificate for the kubelet's server, through
// which the API server reads logs. The API server does not check it.
func serverCertificate(o options) (*server.TLSOptions, error) {
	crt, key, err := cert.GenerateSelfSignedCertKey(o.name, []net.IP{net.ParseIP(o.nodeIP)}, nil)
	if err != nil {
		return nil, fmt.Errorf("making the kubelet's certificate: %w", err)
	}
	tls := &server.TLSOptions{
		CertFile: filepath.Join(o.rootDir, "pki", "kubelet.crt"),
		KeyFile:  filepath.Join(o.rootDir, "pki", "kubelet.key"),
	}
	if err := cert.WriteCert(tls.CertFile, crt); err != nil {
		return nil, fmt.Errorf("writing the kubelet's certificate: %w", err)
	}
	if err := os.WriteFile(tls.KeyFile, key, 0o600); err != nil {
		return nil, fmt.Errorf("writing the kubelet's key: %w", err)
	}
	return tls, nil
}
