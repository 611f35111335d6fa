package cli

import (
	"testing"

	"github.com/stretchr/testify/require"

	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/config"
)

func TestChange(t *testing.T) {
	cases := map[string]struct {
		images, env []string
		want        workload.Change
		err         string
	}{
		"images":           {images: []string{"main=shop/web:v2", "proxy=envoy@sha256:0"}, want: workload.Change{Images: map[string]string{"main": "shop/web:v2", "proxy": "envoy@sha256:0"}}},
		"the only one":     {images: []string{"registry:5000/shop/web:v2"}, want: workload.Change{Images: map[string]string{"": "registry:5000/shop/web:v2"}}},
		"environment":      {env: []string{"main:A=1", "main:B=x=y", "main:C="}, want: workload.Change{Env: map[string]map[string]string{"main": {"A": "1", "B": "x=y", "C": ""}}}},
		"of the only one":  {env: []string{"A=a:b"}, want: workload.Change{Env: map[string]map[string]string{"": {"A": "a:b"}}}},
		"no image":         {images: []string{"main="}, err: `--image "main=": write CONTAINER=IMAGE`},
		"no container":     {images: []string{"=shop/web"}, err: "write CONTAINER=IMAGE"},
		"blank":            {images: []string{"main=a b"}, err: "write CONTAINER=IMAGE"},
		"two equal signs":  {images: []string{"main=a=b"}, err: "write CONTAINER=IMAGE"},
		"twice":            {images: []string{"main=a", "main=b"}, err: "has an image already"},
		"named or not":     {images: []string{"a:1", "main=b"}, err: "name the container of every image"},
		"no value":         {env: []string{"main:A"}, err: `--set-env "main:A": write CONTAINER:NAME=VALUE`},
		"no name":          {env: []string{"main:=1"}, err: "write CONTAINER:NAME=VALUE"},
		"no env container": {env: []string{":A=1"}, err: "write CONTAINER:NAME=VALUE"},
		"secret":           {env: []string{":A=hunter2"}, err: `--set-env ":A": write`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := (&change{images: tc.images, env: tc.env}).read(nil, config.ObjectRef{})
			if tc.err != "" {
				require.ErrorContains(t, err, tc.err)
				require.NotContains(t, err.Error(), "hunter2", "values may be secrets")
				return
			}
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
		})
	}
}

func TestTemplateOf(t *testing.T) {
	ref := config.ObjectRef{Kind: "Deployment", Name: "web"}
	cases := map[string]struct {
		manifest string
		want     string
		err      string
	}{
		"among others": {
			manifest: "kind: Service\nmetadata: {name: web}\n---\nkind: Deployment\nmetadata: {name: api}\n---\nkind: Deployment\nmetadata: {name: web}\nspec: {template: {spec: {containers: [{name: main, image: a}]}}}",
			want:     `{"spec":{"containers":[{"name":"main","image":"a"}]}}`,
		},
		"as JSON":        {manifest: `{"kind":"Deployment","metadata":{"name":"web"},"spec":{"template":{"spec":{"containers":[]}}}}`, want: `{"spec":{"containers":[]}}`},
		"missing":        {manifest: "kind: Deployment\nmetadata: {name: api}", err: "the manifest has no Deployment web"},
		"empty":          {manifest: "", err: "the manifest has no Deployment web"},
		"no template":    {manifest: "kind: Deployment\nmetadata: {name: web}\nspec: {replicas: 1}", err: "Deployment web has no spec.template"},
		"misspelt field": {manifest: "kind: Deployment\nmetadata: {name: web}\nspec: {template: {spec: {container: []}}}", err: `unknown field "spec.container"`},
		"not YAML":       {manifest: "{", err: "reading the manifest"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := templateOf([]byte(tc.manifest), ref)
			if tc.err != "" {
				require.ErrorContains(t, err, tc.err)
				return
			}
			require.NoError(t, err)
			require.JSONEq(t, tc.want, string(got))
		})
	}
}
