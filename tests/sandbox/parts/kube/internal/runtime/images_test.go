package runtime

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
)

const seedImage = "registry.cn-hangzhou.aliyuncs.com/mse-ingress/version"

func TestSplitReference(t *testing.T) {
	for ref, want := range map[string][2]string{
		seedImage + ":v1":           {seedImage, "v1"},
		"nginx":                     {"nginx", "latest"},
		"localhost:5000/app":        {"localhost:5000/app", "latest"},
		"localhost:5000/app:v2":     {"localhost:5000/app", "v2"},
		"app@sha256:abc":            {"app", "sha256:abc"},
		"host:80/app:v3@sha256:abc": {"host:80/app", "v3"},
	} {
		name, tag := SplitReference(ref)
		require.Equal(t, want, [2]string{name, tag}, ref)
	}
}

func executable(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"), 0o755))
	return path
}

func TestResolve(t *testing.T) {
	demo, other := executable(t, "demo"), executable(t, "other")
	images, err := NewImages([]string{seedImage + "=" + demo, "registry.example/team/=" + other})
	require.NoError(t, err)
	tests := map[string]struct{ binary, tag string }{
		seedImage + ":v1":              {demo, "v1"},
		"registry.example/team/app:v2": {other, "v2"},
		"registry.example/team":        {other, "latest"},
		seedImage + "2:v1":             {}, // a prefix ends at a slash
		"registry.example/teams/a":     {},
		"nginx:1":                      {},
	}
	for ref, want := range tests {
		image, err := images.Resolve(ref)
		if want.binary == "" {
			require.ErrorContains(t, err, "not found", ref)
			continue
		}
		require.NoError(t, err, ref)
		require.Equal(t, Image{Ref: ref, Tag: want.tag, Binary: want.binary, Size: 10}, image)
	}
}

func TestResolveLongestPrefix(t *testing.T) {
	all, one := executable(t, "all"), executable(t, "one")
	images, err := NewImages([]string{"r.example=" + all, "r.example/a/b=" + one})
	require.NoError(t, err)
	image, err := images.Resolve("r.example/a/b/c:v1")
	require.NoError(t, err)
	require.Equal(t, one, image.Binary)
	image, err = images.Resolve("r.example/a:v1")
	require.NoError(t, err)
	require.Equal(t, all, image.Binary)
}

func TestNewImagesRefuses(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "plain")
	require.NoError(t, os.WriteFile(plain, nil, 0o644))
	for mapping, want := range map[string]string{
		"app":            "want PREFIX=BINARY",
		"=/bin/sh":       "want PREFIX=BINARY",
		"app=":           "want PREFIX=BINARY",
		"app=/not/there": "no such file",
		"app=" + plain:   "is not an executable file",
		"app=/tmp":       "is not an executable file",
	} {
		_, err := NewImages([]string{mapping})
		require.ErrorContains(t, err, want, mapping)
	}
}

func TestImageService(t *testing.T) {
	images, err := NewImages([]string{seedImage + "=" + executable(t, "demo")})
	require.NoError(t, err)
	s := newImageService(images)
	id, err := s.PullImage(t.Context(), &runtimeapi.ImageSpec{Image: seedImage + ":v1"}, nil, nil)
	require.NoError(t, err)
	byID, err := s.of(&runtimeapi.ImageSpec{Image: id})
	require.NoError(t, err)
	require.Equal(t, "v1", byID.Tag)
	list, err := s.ListImages(t.Context(), nil)
	require.NoError(t, err)
	require.Len(t, list, 1)
	_, err = s.PullImage(t.Context(), &runtimeapi.ImageSpec{Image: "nginx:1"}, nil, nil)
	require.ErrorContains(t, err, "NotFound")
	status, err := s.ImageStatus(t.Context(), &runtimeapi.ImageSpec{Image: "nginx:1"}, false)
	require.NoError(t, err)
	require.Nil(t, status.Image)
}
