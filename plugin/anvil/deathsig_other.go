//go:build !linux

package anvil

import "os/exec"

// dieWithParent needs a kernel that can do it; elsewhere a killed parent leaves the child behind.
func dieWithParent(*exec.Cmd) {}
