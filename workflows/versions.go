package workflows

// Patch IDs of workflow.GetVersion belong here: one constant each, named as a
// sentence in kebab case, with why it exists, since which release, and what has
// to be gone before it may be removed. There is none yet.
