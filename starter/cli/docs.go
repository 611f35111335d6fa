package cli

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

//go:generate go run sluice.dev/sluice/starter docs ../../docs/cli.md

func addDocs(root *cobra.Command, _ *app) {
	root.AddCommand(&cobra.Command{
		Use:    "docs FILE",
		Short:  "Write the reference of all commands",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.WriteFile(args[0], []byte(reference(cmd.Root())), 0o644); err != nil {
				return fmt.Errorf("writing the reference: %w", err)
			}
			return nil
		},
	})
}

// reference is the documentation of all commands, made of what their help says.
func reference(root *cobra.Command) string {
	var b strings.Builder
	b.WriteString("# sluice, the command line tool\n\n")
	b.WriteString("<!-- Made by `go generate ./starter/cli`; a test checks that it is up to date. -->\n\n")
	b.WriteString(root.Long + "\n\n")
	b.WriteString("| command | what it does |\n| --- | --- |\n")
	for _, cmd := range visible(root) {
		fmt.Fprintf(&b, "| [`%s`](#sluice-%s) | %s |\n", cmd.Name(), cmd.Name(), cmd.Short)
	}
	b.WriteString("\n## Exit codes\n\n```text\n" + exitCodes + "```\n\n")
	b.WriteString("## Settings\n\nEvery setting can be given as a flag, as a variable (`SLUICE_` and the name of the flag in\n" +
		"capitals, `-` as `_`), or in `sluice.yaml`, in this order. Temporal is found as its own tools find it\n" +
		"(`TEMPORAL_*` variables and profiles), Kubernetes as kubectl does.\n\n")
	writeFlags(&b, root.PersistentFlags())
	for _, cmd := range visible(root) {
		fmt.Fprintf(&b, "## sluice %s\n\n", cmd.Name())
		fmt.Fprintf(&b, "```text\n%s\n```\n\n", cmd.UseLine())
		b.WriteString(describeCommand(cmd) + "\n\n")
		writeFlags(&b, cmd.LocalNonPersistentFlags())
		if cmd.Example != "" {
			fmt.Fprintf(&b, "```sh\n%s\n```\n\n", strings.ReplaceAll(strings.TrimPrefix(cmd.Example, "  "), "\n  ", "\n"))
		}
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// visible are the commands of the reference.
func visible(root *cobra.Command) []*cobra.Command {
	var commands []*cobra.Command
	for _, cmd := range root.Commands() {
		if cmd.IsAvailableCommand() && cmd.Name() != "help" && cmd.Name() != "completion" {
			commands = append(commands, cmd)
		}
	}
	return commands
}

// describeCommand is the long help; exit codes have a chapter of their own.
func describeCommand(cmd *cobra.Command) string {
	text := cmd.Long
	if text == "" {
		text = cmd.Short + "."
	}
	text, _, _ = strings.Cut(text, "\n\nExit codes:")
	return text
}

func writeFlags(b *strings.Builder, flags *pflag.FlagSet) {
	if !flags.HasAvailableFlags() {
		return
	}
	b.WriteString("| flag | meaning |\n| --- | --- |\n")
	flags.VisitAll(func(flag *pflag.Flag) {
		if flag.Hidden || flag.Name == "help" {
			return
		}
		name := "--" + flag.Name
		if flag.Shorthand != "" {
			name = "-" + flag.Shorthand + ", " + name
		}
		kind, usage := pflag.UnquoteUsage(flag)
		if kind != "" {
			name += " " + kind
		}
		if flag.DefValue != "" && flag.DefValue != "false" && flag.DefValue != "[]" && flag.DefValue != "0" && flag.DefValue != "0s" {
			usage += " (default " + flag.DefValue + ")"
		}
		fmt.Fprintf(b, "| `%s` | %s |\n", name, strings.ReplaceAll(usage, "|", "\\|"))
	})
	b.WriteString("\n")
}
