package opdevnet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/evmts/channels/e2e/child"
)

// Program is one of the L2's programs. It can be stopped and started again while the others run.
type Program struct {
	Name    string
	LogFile string

	binary string
	args   []string
	ready  func(ctx context.Context) error // asks the program whether it is ready
	ended  func(p *Program)                // called when it ended without being told to

	mu      sync.Mutex
	process *child.Process
	ending  *child.Process // the one that was told to end
}

// ErrProgram means that a program did not come up, or ended by itself.
var ErrProgram = errors.New("a program of the op-stack failed")

const (
	readyTimeout = 30 * time.Second
	readyPoll    = 50 * time.Millisecond
	stopTimeout  = 15 * time.Second
	logTail      = 2 << 10
)

// Start runs the program and waits until it is ready.
func (p *Program) Start(ctx context.Context) error {
	process, err := p.run()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	for {
		err := p.ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-process.Exited():
			return fmt.Errorf("%w: %s ended at its start (%v); the end of %s:\n%s", ErrProgram, p.Name, process.Err(), p.LogFile, child.Tail(p.LogFile, logTail))
		case <-ctx.Done():
			return fmt.Errorf("%w: %s is not ready: %w; the end of %s:\n%s", ErrProgram, p.Name, err, p.LogFile, child.Tail(p.LogFile, logTail))
		case <-tick.C:
		}
	}
}

func (p *Program) run() (*child.Process, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.process != nil && p.process.Running() {
		return nil, fmt.Errorf("%w: %s runs already", ErrProgram, p.Name)
	}
	log, err := os.OpenFile(p.LogFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", p.Name, err)
	}
	defer log.Close() // the child has its own descriptor
	process, err := child.Start(log, nil, p.binary, p.args...)
	if err != nil {
		return nil, err
	}
	p.process = process
	go func() {
		<-process.Exited()
		p.mu.Lock()
		told := p.ending == process
		p.mu.Unlock()
		if !told {
			p.ended(p)
		}
	}()
	return process, nil
}

// Running tells whether the program runs.
func (p *Program) Running() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.process != nil && p.process.Running()
}

// PID is the number of the program's newest process.
func (p *Program) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.process.PID()
}

// Exited is closed when the newest process has ended; how, Err says then.
func (p *Program) Exited() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.process.Exited()
}

func (p *Program) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.process.Err()
}

// end says that the process is about to be ended, and gives it; nil: there is none.
func (p *Program) end() *child.Process {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ending = p.process
	return p.process
}

// Stop ends the program in order (SIGTERM) and waits; it may have ended before.
func (p *Program) Stop(ctx context.Context) error {
	process := p.end()
	if process == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	if err := process.Terminate(ctx); err != nil {
		return fmt.Errorf("stop %s: %w", p.Name, err)
	}
	return nil
}

// Kill9 ends the program wherever it is.
func (p *Program) Kill9() error {
	process := p.end()
	if process == nil || !process.Running() {
		return fmt.Errorf("%w: %s does not run", ErrProgram, p.Name)
	}
	return process.Kill()
}
