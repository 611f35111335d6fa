package runtime

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// ownerVariable marks, in the environment of every process of a pod, the root
// folder of the node that started it.
const ownerVariable = "SANDBOX_NODE"

// RemoveLeftovers ends the processes that an earlier node with the same root
// folder left behind and removes their folders. Containers die with their node;
// what they started themselves may not.
func RemoveLeftovers(root string) error {
	environs, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return fmt.Errorf("listing processes: %w", err)
	}
	mark := []byte(ownerVariable + "=" + root)
	for _, path := range environs {
		// A process that has just gone or belongs to somebody else is not ours.
		environ, err := os.ReadFile(path)
		if err != nil || !hasVariable(environ, mark) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil && pid != os.Getpid() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	if err := os.RemoveAll(containersDir(root)); err != nil {
		return fmt.Errorf("removing what an earlier node left: %w", err)
	}
	return nil
}

// hasVariable tells whether environ, as the kernel shows it, contains exactly
// the variable given as NAME=value.
func hasVariable(environ, variable []byte) bool {
	for entry := range bytes.SplitSeq(environ, []byte{0}) {
		if bytes.Equal(entry, variable) {
			return true
		}
	}
	return false
}

func containersDir(root string) string {
	return filepath.Join(root, "containers")
}
