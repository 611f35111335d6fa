package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"

	"sluice.dev/sluice/tests/sandbox/build"
)

// attachVariable names a running sandbox's folder for Shared to use instead of
// bringing one up: tests begin at once, and what they leave can be looked at.
const attachVariable = "SLUICE_SANDBOX_ATTACH"

// shared is the one sandbox of a test's binary.
var shared struct {
	once    sync.Once
	options Options
	sandbox *Sandbox
	err     error
}

// Test is what the TestMain of a package that uses Shared consists of:
//
//	func TestMain(m *testing.M) { os.Exit(sandbox.Test(m, sandbox.Options{})) }
//
// The options are those of the sandbox that the first call of Shared brings
// up, in a temporary folder unless they name one. It is taken down at the end;
// if a test failed, the folder is kept and named.
func Test(m *testing.M, o Options) int {
	if code, played := Main(); played {
		return code
	}
	shared.options = o
	code := m.Run()
	if err := takeDown(code != 0); err != nil {
		fmt.Fprintln(os.Stderr, "taking the sandbox down:", err)
		return 1
	}
	return code
}

// Shared returns the sandbox that all tests of the binary share. The first
// call brings it up, or attaches to the one that $SLUICE_SANDBOX_ATTACH names.
func Shared(t testing.TB) *Sandbox {
	t.Helper()
	shared.once.Do(func() { shared.sandbox, shared.err = bringUp() })
	if shared.err != nil {
		t.Fatalf("bringing the sandbox up: %v", shared.err)
	}
	return shared.sandbox
}

func bringUp() (*Sandbox, error) {
	if dir := os.Getenv(attachVariable); dir != "" {
		return Attach(dir)
	}
	o := shared.options
	if o.Dir == "" {
		dir, err := os.MkdirTemp("", "sluice-sandbox-")
		if err != nil {
			return nil, fmt.Errorf("creating the sandbox's folder: %w", err)
		}
		o.Dir = dir
	}
	if o.Builds.Out == nil {
		o.Builds = build.Progress{Out: os.Stderr}
	}
	return Up(context.Background(), o)
}

// takeDown ends the shared sandbox if this process runs it.
func takeDown(keep bool) error {
	s := shared.sandbox
	if s == nil || s.inner == nil {
		return nil
	}
	err := s.Down(context.Background())
	if keep || shared.options.Dir != "" {
		fmt.Fprintln(os.Stderr, "the sandbox's folder with its logs is", s.Dir())
		return err
	}
	return errors.Join(err, s.Dir().Remove())
}
