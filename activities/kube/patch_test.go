package kube_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/activities/kube"
)

func TestPatch(t *testing.T) {
	var p kube.Patch
	p.Set(false, "spec", "paused")
	p.SetIn(true, "x", "metadata", "annotations", "sluice.dev/release")
	p.SetIn(false, "x", "metadata", "annotations", "a~b")
	p.Remove("metadata", "managedFields", "1")
	data, err := json.Marshal(p)
	require.NoError(t, err)
	require.JSONEq(t, `[
		{"op":"add","path":"/spec/paused","value":false},
		{"op":"add","path":"/metadata/annotations/sluice.dev~1release","value":"x"},
		{"op":"add","path":"/metadata/annotations","value":{"a~b":"x"}},
		{"op":"remove","path":"/metadata/managedFields/1"}
	]`, string(data))
}
