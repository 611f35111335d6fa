package harness

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	authv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"sluice.dev/sluice/tests/sandbox"
)

// systemNamespace is where the manifests of deploy/rbac put their accounts.
const systemNamespace = "sluice-system"

// Identity applies a manifest of deploy/rbac and returns a kubeconfig, for use
// inside, of its service account: what runs with it has these rights only.
func (b *Bed) Identity(ctx context.Context, manifest, account string) (string, error) {
	return b.identityAs(ctx, manifest, account, account)
}

// identityAs does so with the account renamed, and everything that is named after
// it.
func (b *Bed) identityAs(ctx context.Context, manifest, name, account string) (string, error) {
	path := filepath.Join(b.Sandbox.Dir().Join("identities"), account)
	tests, err := sandbox.Root()
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(filepath.Join(filepath.Dir(tests), "deploy", "rbac", manifest))
	if err != nil {
		return "", fmt.Errorf("reading the roles of %s: %w", account, err)
	}
	if err := b.Sandbox.Apply(ctx, systemNamespace, []byte(strings.ReplaceAll(string(text), name, account))); err != nil {
		return "", err
	}
	day := int64(24 * 60 * 60)
	token, err := b.Kube.CoreV1().ServiceAccounts(systemNamespace).CreateToken(ctx, account,
		&authv1.TokenRequest{Spec: authv1.TokenRequestSpec{ExpirationSeconds: &day}}, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("asking for a token of %s: %w", account, err)
	}
	config, err := clientcmd.LoadFromFile(b.Sandbox.Dir().InnerKubeconfig("admin"))
	if err != nil {
		return "", fmt.Errorf("reading the kubeconfig inside: %w", err)
	}
	current := config.Contexts[config.CurrentContext]
	config.AuthInfos = map[string]*clientcmdapi.AuthInfo{account: {Token: token.Status.Token}}
	current.AuthInfo = account
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", fmt.Errorf("writing the kubeconfig of %s: %w", account, err)
	}
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		return "", fmt.Errorf("writing the kubeconfig of %s: %w", account, err)
	}
	return path, nil
}
