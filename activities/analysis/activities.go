package analysis

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"sluice.dev/sluice/activities/kube"
	"sluice.dev/sluice/config"
)

// Activities decide by metrics. Every exported method is one activity.
type Activities struct {
	// Kube is read for ConfigMaps with templates and for Secrets.
	Kube kubernetes.Interface
	// Default is asked where a document names no server; its Address is empty
	// where there is none.
	Default config.Prometheus
	// Credentials is the folder below which credentials in files are read. Without
	// this border a document could send any file of the worker to any address.
	Credentials string
	// Own are the files below it that are for Default alone: whoever writes a document
	// could have them sent to any address.
	Own []string
}

// links returns the way to each server that metrics are read from, by name; that
// without a name is the first one. Nothing is opened yet.
func (a *Activities) links(namespace string, servers []config.Prometheus) (map[string]*link, error) {
	read := a.documents
	if len(servers) == 0 {
		servers, read = []config.Prometheus{a.Default}, a.secret
	}
	links := map[string]*link{}
	for i, server := range servers {
		if server.Address == "" {
			return nil, kube.Terminal(kube.ErrRefused, "no Prometheus is known: write spec.prometheus with its address, or set prometheus.address of the worker")
		}
		links[server.Name] = &link{server: server, secrets: func(ctx context.Context, c config.Credential) (string, error) {
			return read(ctx, namespace, c)
		}}
		if i == 0 {
			links[""] = links[server.Name]
		}
	}
	return links, nil
}

// documents reads a credential that a document names.
func (a *Activities) documents(ctx context.Context, namespace string, c config.Credential) (string, error) {
	if c.File != "" && a.isOwn(c.File) {
		return "", kube.Terminal(kube.ErrRefused, "reading %s: it is for the worker's own Prometheus, and no document may name it: write another file, or secret and key", c.File)
	}
	return a.secret(ctx, namespace, c)
}

// isOwn says whether a file is one of those that are for Default alone, by whatever
// name: mounted Secrets have links to their files.
func (a *Activities) isOwn(name string) bool {
	root, err := os.OpenRoot(a.Credentials)
	if err != nil {
		return false // then it cannot be read either
	}
	defer root.Close()
	named, err := root.Stat(a.relative(name))
	if err != nil {
		return false
	}
	return slices.ContainsFunc(a.Own, func(own string) bool {
		mine, err := root.Stat(a.relative(own))
		return err == nil && os.SameFile(named, mine)
	})
}

// relative is the name of a file below the folder of credentials.
func (a *Activities) relative(name string) string {
	return strings.TrimPrefix(name, strings.TrimSuffix(a.Credentials, "/")+"/")
}

// secret reads a credential.
func (a *Activities) secret(ctx context.Context, namespace string, c config.Credential) (string, error) {
	if c.File != "" {
		return a.file(c.File)
	}
	if a.Kube == nil {
		return "", fmt.Errorf("reading Secret %s/%s: there is no cluster to read it from", namespace, c.Secret)
	}
	secret, err := a.Kube.CoreV1().Secrets(namespace).Get(ctx, c.Secret, metav1.GetOptions{})
	if err != nil {
		return "", unreadable(err, "Secret", namespace, c.Secret)
	}
	text, ok := secret.Data[c.Key]
	if !ok {
		return "", fmt.Errorf("reading Secret %s/%s: it has no key %s", namespace, c.Secret, c.Key)
	}
	return string(text), nil
}

// file reads a credential from below the folder of credentials.
func (a *Activities) file(name string) (string, error) {
	if a.Credentials == "" {
		return "", fmt.Errorf("reading %s: the worker has no folder of credentials: set prometheus.credentials, or write secret and key", name)
	}
	root, err := os.OpenRoot(a.Credentials)
	if err != nil {
		return "", fmt.Errorf("opening the folder of credentials: %w", err)
	}
	defer root.Close()
	relative := a.relative(name)
	if filepath.IsAbs(relative) {
		return "", fmt.Errorf("reading %s: only files in %s are read", name, a.Credentials)
	}
	text, err := root.ReadFile(relative)
	if err != nil {
		return "", fmt.Errorf("reading a credential from %s: %w", a.Credentials, err)
	}
	return string(text), nil
}

// configMap reads the data of a ConfigMap.
func (a *Activities) configMap(ctx context.Context, namespace, name string) (map[string]string, error) {
	if a.Kube == nil {
		return nil, errors.New("there is no cluster to read it from")
	}
	found, err := a.Kube.CoreV1().ConfigMaps(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, unreadable(err, "ConfigMap", namespace, name)
	}
	return found.Data, nil
}

// unreadable says why an object that a document names was not read. A missing
// right is granted per namespace and by name, so that it is not part of what the
// worker always has.
func unreadable(err error, kind, namespace, name string) error {
	doing := fmt.Sprintf("reading %s %s/%s", kind, namespace, name)
	if apierrors.IsForbidden(err) {
		return kube.Retryable(kube.ErrForbidden, "%s: %w: grant get on the %s %s in namespace %s, as deploy/rbac/metrics.yaml does",
			doing, err, kind, name, namespace)
	}
	return kube.Failure(err, doing)
}
