package child

import (
	"os/exec"
	"syscall"
)

// dieWithParent has the kernel kill the child when this program is killed. The child gets a process group of its own, so
// that Ctrl-C in a terminal reaches this program only, which then stops its children in order.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
