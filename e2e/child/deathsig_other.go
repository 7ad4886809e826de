//go:build !linux

package child

import (
	"os/exec"
	"syscall"
)

// dieWithParent is Linux's; elsewhere a killed parent leaves its children running.
func dieWithParent(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
