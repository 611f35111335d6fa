package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/activities/preflight"
	"sluice.dev/sluice/config/settings"
	"sluice.dev/sluice/starter/preview"
	"sluice.dev/sluice/workflows"
)

// planOptions of `sluice plan`.
type planOptions struct {
	startOptions
	manifests string
}

func addPlan(root *cobra.Command, a *app) {
	o := &planOptions{}
	cmd := &cobra.Command{
		Use:   "plan FILE --image CONTAINER=IMAGE",
		Short: "Show what a rollout would do",
		Long: "Checks that the release can be made and shows every operation, the pods and the requests of both\n" +
			"sides after it, and what is waited for. Nothing is written. The workload is looked at in the\n" +
			"cluster, or, with --workload-file, in a file with its Deployment, Service and Ingress.",
		Example: "  sluice plan rollout.yaml --image main=shop/web:v2\n" +
			"  sluice plan rollout.yaml --image main=shop/web:v2 --workload-file web.yaml -o json",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(a, cmd, args) },
	}
	o.document.bind(cmd)
	o.change.bind(cmd)
	cmd.Flags().StringVar(&o.manifests, "workload-file", "", "file with the Deployment, Service and Ingress to plan for, instead of the cluster")
	settings.AddGatewayFlag(cmd.Flags())
	root.AddCommand(cmd)
}

func (o *planOptions) run(a *app, cmd *cobra.Command, args []string) error {
	if len(args) == 1 {
		if o.file != "" {
			return errors.New("both an argument and -f name the document: give one of them")
		}
		o.file = args[0]
	}
	if o.file == "" {
		return errors.New("name the file with the Rollout document: `sluice plan FILE`")
	}
	in, err := o.input(a, cmd)
	if err != nil {
		return err
	}
	var manifests []byte
	if o.manifests != "" {
		if manifests, err = readInput(a.host.In, o.manifests); err != nil {
			return err
		}
	}
	return showPlan(a, cmd, in, manifests)
}

// showPlan runs the preflight and prints what would be done.
func showPlan(a *app, cmd *cobra.Command, in workflows.Input, manifests []byte) error {
	id := workflows.WorkflowID(in.Cluster, in.Rollout.Namespace, in.Rollout.Workload)
	observed, err := a.host.Backend.Inspect(cmd.Context(), cmd.Flags(), manifests, preflight.InspectRequest{
		// A plan owns nothing: whatever is there belongs to somebody else.
		ID: "plan", WorkflowID: id, Rollout: in.Rollout, Change: in.Change,
	})
	if err != nil {
		return err
	}
	doc, unread, err := a.host.Metrics.Templates(cmd.Context(), cmd.Flags(), manifests, in.Rollout)
	if err != nil {
		return err
	}
	observed.Warnings = append(observed.Warnings, unread...)
	p, err := preview.Make(in.Cluster, &doc, observed)
	if err != nil {
		return err
	}
	return a.print(p, func(page *page) { drawPlan(page, p) })
}
