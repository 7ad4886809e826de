package anvil

import (
	"os/exec"
	"syscall"
)

// dieWithParent has the kernel kill the child when the thread that started it ends, which covers a parent that is killed.
// The child gets a process group of its own, so that Ctrl-C in a terminal reaches the parent first, which then stops it in order.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
