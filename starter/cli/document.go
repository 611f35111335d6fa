package cli

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/config"
)

// document is the Rollout document that a command reads.
type document struct {
	file string
}

func (d *document) bind(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&d.file, "file", "f", "", "file with the Rollout document; - reads standard input")
}

// load reads the document. Other objects in the same file are left out, so that
// a file with the workload's manifests serves as it is.
func (d *document) load(a *app, scope Scope) (config.Rollout, error) {
	data, err := readInput(a.host.In, d.file)
	if err != nil {
		return config.Rollout{}, err
	}
	doc, err := config.ParseOne(data, config.Options{Namespace: scope.Namespace, SkipOtherKinds: true})
	if err != nil {
		return config.Rollout{}, fmt.Errorf("%s: %w", d.file, err)
	}
	if scope.Given && doc.Namespace != scope.Namespace {
		return config.Rollout{}, fmt.Errorf("%s: the document is for namespace %s, not %s: leave --namespace out", d.file, doc.Namespace, scope.Namespace)
	}
	return doc, nil
}

// maxInput bounds what is read from a file, in bytes.
const maxInput = 4 << 20

// readInput reads a file, or standard input where its name is "-".
func readInput(stdin io.Reader, name string) ([]byte, error) {
	if name == "-" {
		return readBounded(stdin, "standard input")
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("reading the document: %w", err)
	}
	defer file.Close()
	return readBounded(file, name)
}

func readBounded(r io.Reader, name string) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxInput+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	if len(data) > maxInput {
		return nil, fmt.Errorf("reading %s: it has more than %d MiB", name, maxInput>>20)
	}
	return data, nil
}
