package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"

	"sluice.dev/sluice/activities/workload"
	"sluice.dev/sluice/config"
)

// change is the new revision, as flags say it.
type change struct {
	images   []string
	env      []string
	manifest string
}

func (c *change) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVar(&c.images, "image", nil, "new image, CONTAINER=IMAGE, or IMAGE where the workload has one container (may be repeated)")
	flags.StringArrayVar(&c.env, "set-env", nil, "environment variable of a container, CONTAINER:NAME=VALUE, or NAME=VALUE where the workload has one (may be repeated)")
	flags.StringVar(&c.manifest, "manifest", "", "file with the workload, whose pod template becomes the new revision; - reads standard input")
}

// read turns the flags into a change of the named workload.
func (c *change) read(stdin io.Reader, ref config.ObjectRef) (workload.Change, error) {
	if c.manifest != "" {
		if len(c.images)+len(c.env) > 0 {
			return workload.Change{}, errors.New("--manifest is a whole template: leave --image and --set-env out")
		}
		data, err := readInput(stdin, c.manifest)
		if err != nil {
			return workload.Change{}, err
		}
		template, err := templateOf(data, ref)
		if err != nil {
			return workload.Change{}, fmt.Errorf("%s: %w", c.manifest, err)
		}
		return workload.Change{Template: template}, nil
	}
	if len(c.images)+len(c.env) == 0 {
		return workload.Change{}, errors.New("say what is new: --image CONTAINER=IMAGE, --set-env CONTAINER:NAME=VALUE or --manifest FILE")
	}
	images, err := parseImages(c.images)
	if err != nil {
		return workload.Change{}, err
	}
	env, err := parseEnv(c.env)
	if err != nil {
		return workload.Change{}, err
	}
	return workload.Change{Images: images, Env: env}, nil
}

// parseImages reads CONTAINER=IMAGE. An image alone goes under the empty name:
// which container it means is decided where the workload is known.
func parseImages(texts []string) (map[string]string, error) {
	if len(texts) == 0 {
		return nil, nil
	}
	images := map[string]string{}
	for _, text := range texts {
		container, image, named := strings.Cut(text, "=")
		if !named {
			container, image = "", text
		}
		if image == "" || strings.ContainsAny(image, " \t\n=") || named && container == "" {
			return nil, fmt.Errorf("--image %q: write CONTAINER=IMAGE, such as main=shop/web:v2", text)
		}
		if _, twice := images[container]; twice {
			return nil, fmt.Errorf("--image %q: this container has an image already", text)
		}
		images[container] = image
	}
	if _, plain := images[""]; plain && len(images) > 1 {
		return nil, errors.New("--image: name the container of every image, CONTAINER=IMAGE")
	}
	return images, nil
}

// parseEnv reads CONTAINER:NAME=VALUE.
func parseEnv(texts []string) (map[string]map[string]string, error) {
	if len(texts) == 0 {
		return nil, nil
	}
	env := map[string]map[string]string{}
	for _, text := range texts {
		left, value, ok := strings.Cut(text, "=")
		container, name, named := strings.Cut(left, ":")
		if !named {
			container, name = "", left
		}
		if !ok || name == "" || named && container == "" {
			return nil, fmt.Errorf("--set-env %q: write CONTAINER:NAME=VALUE", left)
		}
		if env[container] == nil {
			env[container] = map[string]string{}
		}
		env[container][name] = value
	}
	return env, nil
}

// templateOf finds the workload among the objects of a manifest and returns its
// pod template as JSON.
func templateOf(manifest []byte, ref config.ObjectRef) ([]byte, error) {
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(string(manifest)), 4096)
	for {
		var object unstructured.Unstructured
		err := decoder.Decode(&object)
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("the manifest has no %s %s", ref.Kind, ref.Name)
		}
		if err != nil {
			return nil, fmt.Errorf("reading the manifest: %w", err)
		}
		if object.GetKind() != ref.Kind || object.GetName() != ref.Name {
			continue
		}
		return encodeTemplate(object)
	}
}

// encodeTemplate checks the template strictly: a misspelt field would otherwise
// be lost without a word.
func encodeTemplate(object unstructured.Unstructured) ([]byte, error) {
	fields, found, err := unstructured.NestedMap(object.Object, "spec", "template")
	if err != nil || !found {
		return nil, fmt.Errorf("%s %s has no spec.template", object.GetKind(), object.GetName())
	}
	var template corev1.PodTemplateSpec
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(fields, &template, true); err != nil {
		return nil, fmt.Errorf("%s %s: spec.template: %w", object.GetKind(), object.GetName(), err)
	}
	data, err := json.Marshal(fields)
	if err != nil {
		return nil, fmt.Errorf("encoding the template of %s: %w", object.GetName(), err)
	}
	return data, nil
}
