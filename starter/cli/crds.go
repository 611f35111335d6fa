package cli

import (
	"bytes"
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"sluice.dev/sluice/config/settings"
	own "sluice.dev/sluice/config/v1alpha1"
	"sluice.dev/sluice/deploy/crds"
)

// crdsOptions of `sluice crds`.
type crdsOptions struct {
	install, all bool
}

func addCRDs(root *cobra.Command, a *app) {
	o := &crdsOptions{}
	cmd := &cobra.Command{
		Use:   "crds",
		Short: "Print or install the definitions of Rollout objects",
		Long: "Prints the CustomResourceDefinition of sluice.dev Rollouts, for kubectl or GitOps; with --all that of\n" +
			"rollouts.kruise.io, too, which would replace the one that Kruise Rollouts has installed. With\n" +
			"--install it creates both where they are missing and updates those that it has created;\n" +
			"definitions that Kruise Rollouts has installed stay as they are. It needs the right to write\n" +
			"CustomResourceDefinitions.",
		Example: "  sluice crds | kubectl apply -f -\n  sluice crds --install",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.run(a, cmd) },
	}
	cmd.Flags().BoolVar(&o.all, "all", false, "print that of rollouts.kruise.io, too: not where Kruise Rollouts is installed")
	cmd.Flags().BoolVar(&o.install, "install", false, "create or update them in the cluster")
	root.AddCommand(cmd)
}

func (o *crdsOptions) run(a *app, cmd *cobra.Command) error {
	if !o.install {
		return o.print(a)
	}
	s, err := settings.Load(cmd.Flags())
	if err != nil {
		return err
	}
	config, _, err := connection(s).Resolve()
	if err != nil {
		return err
	}
	if _, err := reach(config); err != nil {
		return err
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("connecting to the cluster at %s: %w", config.Host, err)
	}
	return installCRDs(cmd.Context(), a, client)
}

func installCRDs(ctx context.Context, a *app, client dynamic.Interface) error {
	done, err := crds.Install(ctx, client)
	if len(done) == 0 {
		return err
	}
	rows := make([][]string, 0, len(done))
	for _, one := range done {
		rows = append(rows, []string{one.What, one.Result})
	}
	if printErr := a.print(done, func(p *page) { p.rows("", rows, func(int) style { return stylePlain }) }); printErr != nil {
		return printErr
	}
	return err
}

// print prints the definitions that can be applied.
func (o *crdsOptions) print(a *app) error {
	var b bytes.Buffer
	for _, definition := range crds.All() {
		if !o.all && definition.GetName() != crds.Name(own.Group) {
			continue
		}
		text, err := yaml.Marshal(definition.Object)
		if err != nil {
			return fmt.Errorf("encoding %s: %w", definition.GetName(), err)
		}
		b.WriteString("---\n")
		b.Write(text)
	}
	_, err := a.host.Out.Write(b.Bytes())
	return err
}
