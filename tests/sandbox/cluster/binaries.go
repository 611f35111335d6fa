package cluster

import (
	"path/filepath"

	"sluice.dev/sluice/tests/sandbox/build"
)

// demoImage is the image, without its tag, that runs the demo application.
const demoImage = "registry.cn-hangzhou.aliyuncs.com/mse-ingress/version"

// kubernetesVersion is that of the Kubernetes modules in parts/kube, which
// only Kubernetes' own build writes into its programs.
var kubernetesVersion = []string{
	"k8s.io/component-base/version.gitVersion=v1.37.2",
	"k8s.io/component-base/version.gitMajor=1",
	"k8s.io/component-base/version.gitMinor=37",
}

// traefikVersion is that of the Traefik module in parts/traefik.
var traefikVersion = []string{"github.com/traefik/traefik/v3/pkg/version.Version=3.7.5"}

// Binaries are the programs of a sandbox.
type Binaries struct {
	Kube       string
	Traefik    string
	Temporal   string
	Prometheus string
	Demoapp    string
}

// Names of the binaries, in the order in which they are built.
const (
	binaryKube       = "sandbox-kube"
	binaryTemporal   = "sandbox-temporal"
	binaryTraefik    = "traefik"
	binaryPrometheus = "prometheus"
	binaryDemoapp    = "demoapp"
)

// Targets returns how the binaries are built. tests is the folder of the
// module that this package belongs to.
//
// The parts have modules of their own, as none of what they need is needed by the
// project. What several need has one version in all, so that it is compiled once.
func Targets(tests string) []build.Target {
	part := func(name, dir, pkg string, tags ...string) build.Target {
		return build.Target{Name: name, Dir: filepath.Join(tests, "sandbox", "parts", dir), Package: pkg, Tags: tags}
	}
	kube := part(binaryKube, "kube", ".")
	kube.Values = kubernetesVersion
	traefik := part(binaryTraefik, "traefik", "github.com/traefik/traefik/v3/cmd/traefik")
	traefik.Values = traefikVersion
	return []build.Target{
		kube,
		part(binaryTemporal, "temporal", "."),
		traefik,
		part(binaryPrometheus, "prometheus", "github.com/prometheus/prometheus/cmd/prometheus",
			"remove_all_sd", "enable_kubernetes_sd"),
		{
			Name: binaryDemoapp, Dir: tests, Package: "./sandbox/demoapp",
			Sources: []string{filepath.Join("sandbox", "demoapp")},
		},
	}
}

// Kubectl returns how kubectl of the same version is built.
func Kubectl(tests string) build.Target {
	return build.Target{Name: "kubectl", Dir: filepath.Join(tests, "sandbox", "parts", "kubectl"), Package: ".", Values: kubernetesVersion}
}

// NewBinaries takes the programs from the builder's result.
func NewBinaries(paths map[string]string) Binaries {
	return Binaries{
		Kube:       paths[binaryKube],
		Traefik:    paths[binaryTraefik],
		Temporal:   paths[binaryTemporal],
		Prometheus: paths[binaryPrometheus],
		Demoapp:    paths[binaryDemoapp],
	}
}
