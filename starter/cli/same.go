package cli

import (
	"bytes"
	"context"
	"maps"
	"slices"

	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/starter/control"
	"sluice.dev/sluice/workflows"
)

// sameChange says whether the open rollout releases what the command wants to.
// After a revise only the images that it releases now can be compared.
func sameChange(ctx context.Context, c Control, run control.Run, in workflows.Input, status control.Status) (bool, error) {
	revised := slices.ContainsFunc(status.Decisions, func(d workflows.Decision) bool {
		return d.Verb == workflows.VerbRevise && d.Accepted
	})
	if revised {
		return onlyImages(in.Change) && contains(status.Images, in.Change.Images), nil
	}
	open, err := c.Input(ctx, run)
	if err != nil {
		return false, err
	}
	return open.Repair == in.Repair && equalChange(open.Change, in.Change), nil
}

func equalChange(a, b workload.Change) bool {
	return maps.Equal(a.Images, b.Images) && maps.EqualFunc(a.Env, b.Env, maps.Equal[map[string]string, map[string]string]) &&
		bytes.Equal(a.Template, b.Template) && a.Current == b.Current
}

func onlyImages(c workload.Change) bool {
	return len(c.Images) > 0 && len(c.Env) == 0 && len(c.Template) == 0 && !c.Current
}

// contains says that all images of a part are those of the whole. An image
// without a container is that of the only container.
func contains(whole, part map[string]string) bool {
	for container, image := range part {
		if container == "" {
			if len(whole) != 1 || !slices.Contains(slices.Collect(maps.Values(whole)), image) {
				return false
			}
			continue
		}
		if whole[container] != image {
			return false
		}
	}
	return true
}
