// Command sluice-faults runs a worker behind a proxy to the API server, which at
// one of its writes kills the worker with -9, and starts it again, or answers with
// an error. It is for tests on the sandbox: all arguments are the worker's,
// --kubeconfig among them, and what is to happen is in the environment.
//
//	SLUICE_FAULTS_WORKER  path of sluice-worker
//	SLUICE_FAULT          before, sent, after or confirm; conflict, timeout-applied or timeout-lost
//	SLUICE_FAULT_WRITE    number of the write, from 1
//	SLUICE_FAULT_MARK     file that is made when it has happened
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// kubeconfigFlag of the worker names the cluster that the proxy stands in front of.
const kubeconfigFlag = "--kubeconfig"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "sluice-faults: %v\n", err)
		os.Exit(1)
	}
}

// run serves the proxy and keeps a worker running until ctx ends.
func run(ctx context.Context, args []string) error {
	write, err := strconv.Atoi(os.Getenv("SLUICE_FAULT_WRITE"))
	if err != nil {
		return fmt.Errorf("reading SLUICE_FAULT_WRITE: %w", err)
	}
	at := slices.Index(args, kubeconfigFlag) + 1
	if at == 0 || at == len(args) {
		return fmt.Errorf("reading the worker's arguments %q: %s FILE is missing", args, kubeconfigFlag)
	}
	config, err := clientcmd.BuildConfigFromFlags("", args[at])
	if err != nil {
		return fmt.Errorf("reading the worker's kubeconfig: %w", err)
	}
	p, err := newProxy(config, fault(os.Getenv("SLUICE_FAULT")), write, mark)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listening for the worker: %w", err)
	}
	server := &http.Server{Handler: p}
	go func() { _ = server.Serve(listener) }()
	defer server.Close() //nolint:errcheck // the process ends
	kubeconfig, remove, err := writeKubeconfig("http://" + listener.Addr().String())
	if err != nil {
		return err
	}
	defer remove()
	args = slices.Clone(args)
	args[at] = kubeconfig
	return keep(ctx, p, args)
}

// mark says that the fault has happened.
func mark() {
	if err := os.WriteFile(os.Getenv("SLUICE_FAULT_MARK"), nil, 0o600); err != nil {
		fmt.Fprintf(os.Stderr, "sluice-faults: saying that the fault has happened: %v\n", err)
	}
}

// keep runs one worker after the other.
func keep(ctx context.Context, p *proxy, args []string) error {
	for {
		cmd := exec.CommandContext(ctx, os.Getenv("SLUICE_FAULTS_WORKER"), args...)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
		if err := cmd.Start(); err != nil {
			return fmt.Errorf("starting the worker: %w", err)
		}
		p.watch(cmd.Process)
		err := cmd.Wait()
		if ctx.Err() != nil {
			return nil
		}
		if !p.killed() {
			return errors.Join(errors.New("the worker ended by itself"), err)
		}
		fmt.Fprintf(os.Stderr, "sluice-faults: killed the worker at write %d, starting another\n", p.write)
	}
}

// writeKubeconfig names the proxy as the cluster.
func writeKubeconfig(server string) (path string, remove func(), err error) {
	dir, err := os.MkdirTemp("", "sluice-faults-")
	if err != nil {
		return "", nil, fmt.Errorf("writing a kubeconfig: %w", err)
	}
	remove = func() { _ = os.RemoveAll(dir) }
	config := clientcmdapi.NewConfig()
	config.Clusters["proxy"] = &clientcmdapi.Cluster{Server: server}
	config.Contexts["proxy"] = &clientcmdapi.Context{Cluster: "proxy"}
	config.CurrentContext = "proxy"
	path = filepath.Join(dir, "kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		remove()
		return "", nil, fmt.Errorf("writing a kubeconfig: %w", err)
	}
	return path, remove, nil
}
