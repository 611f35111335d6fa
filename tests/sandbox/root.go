package sandbox

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
)

// module is the line that the tests' go.mod begins with.
const module = "module sluice.dev/sluice/tests\n"

// Root returns the folder of the tests' module, in which the sources of the
// parts are: where this package was compiled from, or else the working folder
// or one above it.
func Root() (string, error) {
	if _, file, _, ok := runtime.Caller(0); ok {
		if root := filepath.Dir(filepath.Dir(file)); isRoot(root) {
			return root, nil
		}
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		for _, root := range []string{dir, filepath.Join(dir, "tests")} {
			if isRoot(root) {
				return root, nil
			}
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("finding the sources of the sandbox's parts: run this inside the project's folder")
		}
		dir = parent
	}
}

func isRoot(dir string) bool {
	text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	return err == nil && bytes.HasPrefix(text, []byte(module))
}
