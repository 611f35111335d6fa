// Package netns gives a process tree network, process and mount namespaces of
// its own, as root and as an ordinary user, and prepares the network in them:
// every pod address of the sandbox can be listened on and dialled without
// bridges, and nothing in it can reach an address outside.
package netns

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// Spawn starts cmd as process 1 of new network, process and mount namespaces.
// An ordinary user gets a user namespace as well, in which the user is root.
//
// The command runs in a session of its own, so that Ctrl-C on the terminal
// reaches the caller alone, and the kernel kills it, and with it every process
// of the namespace, as soon as the caller's process is gone.
// Spawn returns a function that waits for the command's end.
func Spawn(cmd *exec.Cmd) (wait func() error, err error) {
	cmd.SysProcAttr = attributes(os.Geteuid(), os.Getegid())
	started := make(chan error, 1)
	ended := make(chan error, 1)
	go func() {
		// The kernel sends the parent-death signal when the thread that
		// started the child ends, not the process: this one must stay.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			started <- explain(err)
			return
		}
		started <- nil
		ended <- cmd.Wait()
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return func() error { return <-ended }, nil
}

// attributes returns what the child of the user with the given ids is started
// with.
func attributes(uid, gid int) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWPID | syscall.CLONE_NEWNS,
		Pdeathsig:  syscall.SIGKILL,
		Setsid:     true,
	}
	if uid != 0 {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: gid, Size: 1}}
	}
	return attr
}

// explain adds the remedy to an error of creating namespaces.
func explain(err error) error {
	switch {
	case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EACCES):
		return fmt.Errorf("creating namespaces: %w (an ordinary user needs user namespaces: "+
			"run as root, or allow them with sysctl kernel.unprivileged_userns_clone=1 "+
			"and kernel.apparmor_restrict_unprivileged_userns=0)", err)
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("creating namespaces: %w (raise user.max_user_namespaces)", err)
	}
	return fmt.Errorf("creating namespaces: %w", err)
}
