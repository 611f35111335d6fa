package cli

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/config"
)

// lintOptions of `sluice lint`.
type lintOptions struct {
	strict bool
}

// linted is what is known about one file.
type linted struct {
	File string `json:"file"`
	// Rollouts that the file holds.
	Rollouts []lintedRollout `json:"rollouts,omitempty"`
	// Errors for which the file would be refused.
	Errors config.Errors `json:"errors,omitempty"`
}

// lintedRollout is one valid document.
type lintedRollout struct {
	Name     string           `json:"name"`
	Source   string           `json:"apiVersion"`
	Workload config.ObjectRef `json:"workload"`
	Steps    int              `json:"steps"`
	Findings []config.Finding `json:"findings,omitempty"`
}

func addLint(root *cobra.Command, a *app) {
	o := &lintOptions{}
	cmd := &cobra.Command{
		Use:   "lint FILE...",
		Short: "Check Rollout documents",
		Long: "Checks documents without a cluster: every error with the line, the field and what to write\n" +
			"instead, and what is allowed but likely not meant. All documents together must be able to stand in\n" +
			"one cluster: one Rollout per workload, a disabled one included. Other objects are left out.\n" +
			"The command fails if there is an error.",
		Example: "  sluice lint rollout.yaml\n  sluice lint --strict deploy/*.yaml",
		Args:    cobra.MinimumNArgs(1),
		RunE:    func(_ *cobra.Command, args []string) error { return o.run(a, args) },
	}
	cmd.Flags().BoolVar(&o.strict, "strict", false, "fail on warnings, too")
	root.AddCommand(cmd)
}

func (o *lintOptions) run(a *app, files []string) error {
	results := make([]linted, 0, len(files))
	var all []config.Rollout
	bad, conflicts := 0, 0
	for _, file := range files {
		result, rollouts, err := lintFile(a, file)
		if err != nil {
			return err
		}
		// A conflict belongs to the later document, and so to this file.
		all = append(all, rollouts...)
		found := config.Conflicts(all)
		result.Errors = append(result.Errors, found[conflicts:]...)
		conflicts = len(found)
		if len(result.Errors) > 0 || o.strict && result.warnings() > 0 {
			bad++
		}
		results = append(results, result)
	}
	if err := a.print(results, func(p *page) { drawLinted(p, results) }); err != nil {
		return err
	}
	if bad > 0 {
		return fmt.Errorf("%d of %s not in order", bad, count(len(files), "file is", "files are"))
	}
	return nil
}

// lintFile checks the documents of one file, each for itself.
func lintFile(a *app, file string) (linted, []config.Rollout, error) {
	data, err := readInput(a.host.In, file)
	if err != nil {
		return linted{}, nil, err
	}
	result := linted{File: file}
	rollouts, err := config.Parse(data, config.Options{SkipOtherKinds: true})
	if err != nil && !errors.As(err, &result.Errors) {
		return linted{}, nil, fmt.Errorf("%s: %w", file, err)
	}
	for _, r := range rollouts {
		result.Rollouts = append(result.Rollouts, lintedRollout{
			Name: r.Name, Source: r.Source, Workload: r.Workload, Steps: len(r.Steps) + 1, Findings: config.Warnings(r, 0),
		})
	}
	return result, rollouts, nil
}

// warnings counts the findings that are more than information.
func (l linted) warnings() int {
	n := 0
	for _, r := range l.Rollouts {
		for _, f := range r.Findings {
			if f.Severity == config.SeverityWarning {
				n++
			}
		}
	}
	return n
}

func drawLinted(p *page, results []linted) {
	for _, result := range results {
		for _, e := range result.Errors {
			p.paragraph(styleBad, result.File+": ", gap, e.Error())
		}
		for _, r := range result.Rollouts {
			if slices.ContainsFunc(result.Errors, func(e config.FieldError) bool { return e.Document == r.Name }) {
				continue
			}
			p.line(styleGood, fmt.Sprintf("%s: %s is in order: %s, %s/%s", result.File, r.Name, count(r.Steps, "step", "steps"), r.Workload.Kind, r.Workload.Name))
			drawFindings(p, r.Findings)
		}
	}
}

// drawFindings draws what an author should know.
func drawFindings(p *page, findings []config.Finding) {
	for _, f := range findings {
		s := stylePlain
		if f.Severity == config.SeverityWarning {
			s = styleNotice
		}
		p.paragraph(s, gap, "    ", string(f.Severity)+": "+f.FieldError.Error())
	}
}

// count is a number with its noun.
func count(n int, one, many string) string {
	if n == 1 {
		return fmt.Sprintf("%d %s", n, one)
	}
	return fmt.Sprintf("%d %s", n, many)
}
