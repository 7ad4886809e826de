// Package profile says where a module's fuel goes: it watches calls on the reference machine and attributes every unit
// of fuel and every instruction to a function and to the calls that led to it.
//
// Fuel is attributed when it is charged, so the sum over all functions is the fuel of the calls, to the unit. Fuel that
// a host function charges belongs to the host function. Fuel for copying arguments in and the output out belongs to the row Input.
package profile

import (
	"cmp"
	"slices"

	"github.com/evmts/channels/derivation/debug"
	"github.com/evmts/channels/derivation/lower"
	"github.com/evmts/channels/derivation/machine"
)

const (
	// Input is the name of what copying arguments into the memory is attributed to.
	Input = "(input, output)"
	// Others stands for the callers in a profile that has too many different stacks to tell all of them apart.
	Others = "(other stacks)"
	// maxNodes bounds the different stacks of a profile.
	maxNodes = 1 << 18
)

// Kind says what a row or a frame stands for.
type Kind uint8

const (
	Function Kind = iota // of the module
	Host                 // function of the host
	Copying              // of arguments
)

// key tells apart what can be called.
type key struct {
	kind  Kind
	index int
}

// Node is a stack of calls: its own frame and, through its parents, those of its callers.
type Node struct {
	Name       string
	Kind       Kind
	Calls      uint64
	Self       uint64 // fuel charged here
	Total      uint64 // Self and that of Children; set by Tree
	Operations uint64 // instructions executed here
	Children   []*Node

	key   key
	index map[key]*Node
}

// child is the node of a callee, made when it is first needed.
func (p *Profile) child(n *Node, k key, name string) *Node {
	if c := n.index[k]; c != nil {
		return c
	}
	if p.nodes >= maxNodes && k.kind != Copying && n != p.others {
		if p.others == nil {
			p.others = p.child(&p.root, key{kind: Copying, index: 1}, Others)
		}
		return p.child(p.others, k, name)
	}
	p.nodes++
	if n.index == nil {
		n.index = make(map[key]*Node)
	}
	c := &Node{Name: name, Kind: k.kind, key: k}
	n.index[k] = c
	n.Children = append(n.Children, c)
	return c
}

// Profile collects what calls cost. It serves one goroutine.
type Profile struct {
	symbols *debug.Symbols
	root    Node
	calls   uint64
	nodes   int
	others  *Node

	// Of the call that is being watched.
	stack  []*Node
	target *Node // what the instruction that is being executed is attributed to
	leaves bool  // it is a return
	used   uint64
}

// New makes a profile of calls of one module.
func New(symbols *debug.Symbols) *Profile {
	return &Profile{symbols: symbols, root: Node{Name: "all", Kind: Copying, key: key{Copying, -1}}}
}

// Call carries out the call that a machine is about to begin, and gives the fuel that it used. The machine's program must
// be the symbols'; its Hook is replaced.
func (p *Profile) Call(m *machine.Machine) uint64 {
	p.calls++
	p.root.Calls++
	p.stack, p.used, p.leaves = p.stack[:0], 0, false
	p.target = p.child(&p.root, key{kind: Copying}, Input)
	p.target.Calls++
	m.Hook = p.step
	m.Finish()
	if p.leaves && len(p.stack) == 1 {
		p.target = p.child(&p.root, key{kind: Copying}, Input) // the output, or the next argument was too dear
	}
	p.settle(m)
	m.Hook = nil
	return m.FuelUsed()
}

// settle attributes what was charged since the last time.
func (p *Profile) settle(m *machine.Machine) {
	used := m.FuelUsed()
	p.target.Self += used - p.used
	p.used = used
}

// step sees the machine before each instruction.
func (p *Profile) step(m *machine.Machine) {
	if p.leaves {
		if p.stack = p.stack[:len(p.stack)-1]; len(p.stack) == 0 {
			// An argument's room was allocated: the next argument is charged for before anything else runs.
			p.target = p.child(&p.root, key{kind: Copying}, Input)
		}
	}
	p.settle(m)
	if m.Depth() > len(p.stack) {
		parent, f := &p.root, m.Function()
		if len(p.stack) > 0 {
			parent = p.stack[len(p.stack)-1]
		}
		n := p.child(parent, key{Function, f}, p.symbols.Name(f))
		n.Calls++
		p.stack = append(p.stack, n)
	}
	n := p.stack[len(p.stack)-1]
	n.Operations++
	in := m.Instr()
	p.target, p.leaves = n, in.Op == lower.Return
	if host, ok := hostCall(m, in); ok {
		p.target = p.child(n, key{Host, host}, lower.HostNames[host])
		p.target.Calls++
	}
}

// hostCall is the host function that an instruction is about to call.
func hostCall(m *machine.Machine, in lower.Instr) (int, bool) {
	switch in.Op {
	case lower.CallHost:
		return int(in.B), true
	case lower.CallIndirect:
		table, operands := m.Program().Table, m.Operands()
		if i := uint64(uint32(operands[len(operands)-1])); i < uint64(len(table)) {
			if e := table[i]; e.Kind >= lower.ElementHost && e.Type == in.B {
				return int(e.Kind - lower.ElementHost), true
			}
		}
	}
	return 0, false
}

// Calls is the number of calls that were watched.
func (p *Profile) Calls() uint64 { return p.calls }

// Fuel is what all calls used together.
func (p *Profile) Fuel() uint64 { return p.Tree().Total }

// Tree gives the stacks of calls, the dearest first, under a root that stands for all calls.
func (p *Profile) Tree() *Node {
	var sum func(n *Node)
	sum = func(n *Node) {
		n.Total = n.Self
		for _, c := range n.Children {
			sum(c)
			n.Total += c.Total
		}
		slices.SortStableFunc(n.Children, func(a, b *Node) int { return cmp.Or(cmp.Compare(b.Total, a.Total), cmp.Compare(a.Name, b.Name)) })
	}
	sum(&p.root)
	return &p.root
}

// Row is a function in the table of all functions.
type Row struct {
	Name       string `json:"name"`
	Host       bool   `json:"host,omitempty"`
	Self       uint64 `json:"self"`  // fuel charged in it
	Total      uint64 `json:"total"` // fuel charged while it was on the stack
	Calls      uint64 `json:"calls"`
	Operations uint64 `json:"operations"`
}

// Table gives the functions, the one with most fuel of its own first. The Selfs add up to Fuel.
func (p *Profile) Table() []Row {
	rows, open := make(map[key]*Row), make(map[key]int)
	var walk func(n *Node)
	walk = func(n *Node) {
		if n != &p.root {
			r := rows[n.key]
			if r == nil {
				r = &Row{Name: n.Name, Host: n.Kind == Host}
				rows[n.key] = r
			}
			r.Self, r.Calls, r.Operations = r.Self+n.Self, r.Calls+n.Calls, r.Operations+n.Operations
			if open[n.key] == 0 { // a function that calls itself counts once
				r.Total += n.Total
			}
		}
		open[n.key]++
		for _, c := range n.Children {
			walk(c)
		}
		open[n.key]--
	}
	walk(p.Tree())
	out := make([]Row, 0, len(rows))
	for _, r := range rows {
		out = append(out, *r)
	}
	slices.SortFunc(out, func(a, b Row) int { return cmp.Or(cmp.Compare(b.Self, a.Self), cmp.Compare(a.Name, b.Name)) })
	return out
}
