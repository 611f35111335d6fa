package inside

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"

	"sluice.dev/sluice/tests/sandbox/netns"
)

// runInit prepares the namespaces and is their process 1.
func runInit(spec Spec, _ Tasks) (int, error) {
	lifeline := os.NewFile(lifelineFD, "lifeline")
	listeners := passedFiles(initListenerFD, len(spec.Forwards))
	// Commands that are run inside must not inherit these.
	unix.CloseOnExec(lifelineFD)
	if err := prepare(spec.Networks); err != nil {
		return 1, err
	}
	self, err := os.Executable()
	if err != nil {
		return 1, fmt.Errorf("finding the own program: %w", err)
	}
	cmd := exec.Command(self, roleSupervise, string(spec.Dir))
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.ExtraFiles = listeners
	return netns.RunInit(cmd, lifeline)
}

// prepare sets up what a new namespace lacks.
func prepare(networks []netip.Prefix) error {
	if err := netns.MountProc(); err != nil {
		// Only tools that look at /proc miss it.
		fmt.Fprintln(os.Stderr, "sluice-sandbox: going on without an own /proc:", err)
	}
	return netns.UpLoopback(networks...)
}

// passedFiles returns the files that the parent handed over from fd on.
func passedFiles(fd, n int) []*os.File {
	files := make([]*os.File, n)
	for i := range files {
		unix.CloseOnExec(fd + i)
		files[i] = os.NewFile(uintptr(fd+i), fmt.Sprintf("passed-%d", i))
	}
	return files
}
