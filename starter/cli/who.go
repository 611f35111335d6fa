package cli

import "github.com/spf13/cobra"

// who says who acts, and why; both are kept in the history of the rollout.
type who struct {
	by     string
	reason string
}

func (w *who) bind(cmd *cobra.Command) {
	cmd.Flags().StringVar(&w.by, "by", "", "who acts (default: $SLUICE_BY, the user of the CI job, or user@host)")
	cmd.Flags().StringVar(&w.reason, "reason", "", "why; kept in the history")
}

// userVariables name the user of a CI job, in the order in which they count.
var userVariables = []string{
	"SLUICE_BY",
	"GITLAB_USER_LOGIN", // GitLab CI
	"GITHUB_ACTOR",      // GitHub Actions
	"BUILD_USER_ID",     // Jenkins, plugin build user vars
	"BUILDKITE_BUILD_CREATOR",
	"CIRCLE_USERNAME",
	"BUILD_REQUESTEDFOR", // Azure Pipelines
	"DRONE_COMMIT_AUTHOR",
}

// name returns who acts.
func (w *who) actor(host Host) string {
	if w.by != "" {
		return w.by
	}
	for _, variable := range userVariables {
		if value, ok := host.Env(variable); ok && value != "" {
			return value
		}
	}
	return host.User()
}

// jobLink returns the address of the CI job that runs the command, if any.
func jobLink(host Host) string {
	for _, variable := range []string{"CI_JOB_URL", "BUILD_URL", "BUILDKITE_BUILD_URL", "CIRCLE_BUILD_URL"} {
		if value, ok := host.Env(variable); ok && value != "" {
			return value
		}
	}
	server, _ := host.Env("GITHUB_SERVER_URL")
	repository, _ := host.Env("GITHUB_REPOSITORY")
	run, _ := host.Env("GITHUB_RUN_ID")
	if server == "" || repository == "" || run == "" {
		return ""
	}
	return server + "/" + repository + "/actions/runs/" + run
}
