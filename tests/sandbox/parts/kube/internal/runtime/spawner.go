package runtime

import (
	"os/exec"
	"runtime"
	"syscall"
)

// spawner starts processes that die together with this one.
//
// The kernel ties PR_SET_PDEATHSIG to the thread that forked, not to its
// process: a child started from any goroutine would be killed as soon as Go
// retires the thread that the goroutine happened to be on. All children are
// therefore started from one goroutine that keeps one thread for ever.
type spawner struct {
	jobs chan func()
}

func newSpawner() *spawner {
	s := &spawner{jobs: make(chan func())}
	go func() {
		runtime.LockOSThread()
		for job := range s.jobs {
			job()
		}
	}()
	return s
}

// start starts cmd in a process group of its own; the kernel kills it when
// this process ends, whatever ends it.
func (s *spawner) start(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	s.jobs <- func() { started <- cmd.Start() }
	return <-started
}
