package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// key identifies what a binary is built from: the toolchain, the flags, the
// module's requirements, and every source file.
func (t Target) key(ctx context.Context) (string, error) {
	toolchain, err := output(t.command(ctx, "env", "GOVERSION", "GOOS", "GOARCH", "GOAMD64", "GOARM64", "GOEXPERIMENT"))
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	fmt.Fprintln(sum, toolchain, t.Package, t.flags())
	sources := t.Sources
	if len(sources) == 0 {
		sources = []string{"."}
	} else {
		sources = append([]string{"go.mod", "go.sum"}, sources...)
	}
	for _, source := range sources {
		if err := addTree(sum, t.Dir, source); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(sum.Sum(nil))[:16], nil
}

// addTree adds the names and contents of the files below dir/path, in the
// order of their names.
func addTree(sum hash.Hash, dir, path string) error {
	return filepath.WalkDir(filepath.Join(dir, path), func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return skipped(entry.Name())
		}
		if strings.HasSuffix(file, "_test.go") || !entry.Type().IsRegular() {
			return nil
		}
		name, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		fmt.Fprintln(sum, name)
		return addFile(sum, file)
	})
}

// skipped leaves folders out that the toolchain leaves out.
func skipped(name string) error {
	if name == "testdata" || name == "vendor" || len(name) > 1 && (name[0] == '.' || name[0] == '_') {
		return fs.SkipDir
	}
	return nil
}

func addFile(sum hash.Hash, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	n, err := io.Copy(sum, f)
	if err != nil {
		return err
	}
	fmt.Fprintln(sum, n)
	return nil
}
