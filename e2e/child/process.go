// Package child runs the programs of an environment as processes that do not outlive the one that started them.
package child

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

// settings start the environment variables that the programs take options from. A user's own setting must not reach those
// that are started here.
var settings = []string{"OP_CHANNELS_", "OP_NODE_", "OP_BATCHER_", "GETH_"}

// Process is a program that runs, or ran.
type Process struct {
	cmd    *exec.Cmd
	exited chan struct{}
	err    error // how it ended; read after exited
}

// Start runs a program. Its output goes to out, which must be a file: the child keeps writing to it by itself. env is added to
// the environment.
func Start(out *os.File, env []string, binary string, args ...string) (*Process, error) {
	p := &Process{cmd: exec.Command(binary, args...), exited: make(chan struct{})}
	p.cmd.Env = append(slices.DeleteFunc(os.Environ(), isSetting), env...)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	dieWithParent(p.cmd)
	started := make(chan error, 1)
	go func() {
		// The kernel's parent-death signal is tied to the thread that started the child, so the thread must live as long.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.err = p.cmd.Wait()
		close(p.exited)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("run %s: %w", binary, err)
	}
	return p, nil
}

func isSetting(variable string) bool {
	return slices.ContainsFunc(settings, func(prefix string) bool { return strings.HasPrefix(variable, prefix) })
}

// PID is the process's number.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Exited is closed when the process has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// Err is how the process ended; it may be asked after Exited.
func (p *Process) Err() error { return p.err }

// Running tells whether the process runs.
func (p *Process) Running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// signal sends a signal to this process only; one that has ended is no error.
func (p *Process) signal(s os.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal process %d: %w", p.PID(), err)
	}
	return nil
}

// Kill ends the process at once, wherever it is, and waits until it is gone.
func (p *Process) Kill() error {
	err := p.signal(syscall.SIGKILL)
	<-p.exited // SIGKILL cannot be refused
	return err
}

// Terminate asks the process to end and waits for it; when ctx ends first it is killed.
func (p *Process) Terminate(ctx context.Context) error {
	if !p.Running() {
		return nil
	}
	if err := p.signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.exited:
		if p.err != nil {
			return fmt.Errorf("process %d ended badly after SIGTERM: %w", p.PID(), p.err)
		}
		return nil
	case <-ctx.Done():
		return errors.Join(fmt.Errorf("process %d did not end after SIGTERM: %w", p.PID(), ctx.Err()), p.Kill())
	}
}

// Tail is the end of a file, for error messages.
func Tail(path string, max int64) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > max {
		if _, err := f.Seek(-max, io.SeekEnd); err != nil {
			return ""
		}
	}
	b, err := io.ReadAll(io.LimitReader(f, max))
	if err != nil {
		return ""
	}
	return string(b)
}

// FreePorts are TCP ports of loopback that nobody listens on now.
func FreePorts(n int) (ports []int, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer l.Close() // all are held until all are known, so that no two are the same
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
