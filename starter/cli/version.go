package cli

import (
	"github.com/spf13/cobra"
)

// versionInfo is what `sluice version` prints.
type versionInfo struct {
	Version string `json:"version"`
}

func addVersion(root *cobra.Command, a *app) {
	root.AddCommand(&cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			info := versionInfo{Version: a.host.Version}
			return a.print(info, func(p *page) { p.line(stylePlain, "sluice "+info.Version) })
		},
	})
}
