package meter

import "github.com/evmts/channels/derivation/wasm"

// encode writes the rewritten module: the sections of the original with the injected parts at their ends.
func (w *rewriter) encode(startFuel uint64, exports []wasm.Export) []byte {
	m := w.m
	imports := make([]uint32, len(m.Imports))
	for i, im := range m.Imports {
		imports[i] = w.typeOf(wasm.FuncType{Params: m.Types[im.Type].Params, Results: []wasm.ValueType{wasm.I32}})
	}
	b := []byte{0, 'a', 's', 'm', 1, 0, 0, 0}
	section := func(id byte, n int, entry func(b []byte, i int) []byte) {
		if n == 0 {
			return
		}
		content := wasm.AppendU32(nil, uint32(n))
		for i := range n {
			content = entry(content, i)
		}
		b = append(wasm.AppendU32(append(b, id), uint32(len(content))), content...)
	}
	section(1, len(w.types), func(b []byte, i int) []byte {
		return appendValues(appendValues(append(b, 0x60), w.types[i].Params), w.types[i].Results)
	})
	section(2, len(m.Imports), func(b []byte, i int) []byte {
		b = appendName(appendName(b, m.Imports[i].Module), m.Imports[i].Name)
		return wasm.AppendU32(append(b, byte(wasm.ExternFunction)), imports[i])
	})
	section(3, len(w.funcs), func(b []byte, i int) []byte { return wasm.AppendU32(b, w.funcs[i]) })
	if m.Table != nil {
		section(4, 1, func(b []byte, _ int) []byte { return appendRange(append(b, 0x70), *m.Table) })
	}
	if m.Memory != nil {
		section(5, 1, func(b []byte, _ int) []byte {
			return appendRange(b, wasm.Range{Min: m.Memory.Min, Max: w.maxPages, HasMax: true})
		})
	}
	section(6, len(m.Globals)+2, func(b []byte, i int) []byte {
		switch uint32(i) {
		case w.fuel:
			return appendGlobal(b, wasm.Global{Type: wasm.I64, Mutable: true, Init: startFuel})
		case w.height:
			return appendGlobal(b, wasm.Global{Type: wasm.I32, Mutable: true})
		}
		return appendGlobal(b, m.Globals[i])
	})
	section(7, len(exports), func(b []byte, i int) []byte {
		return wasm.AppendU32(append(appendName(b, exports[i].Name), byte(exports[i].Kind)), exports[i].Index)
	})
	if m.Start != nil {
		content := wasm.AppendU32(nil, w.target(*m.Start))
		b = append(wasm.AppendU32(append(b, 8), uint32(len(content))), content...)
	}
	section(9, len(m.Elements), func(b []byte, i int) []byte {
		e := m.Elements[i]
		b = appendConstant(append(b, 0), wasm.I32, uint64(e.At))
		b = wasm.AppendU32(b, uint32(len(e.Functions)))
		for _, f := range e.Functions {
			b = wasm.AppendU32(b, w.target(f))
		}
		return b
	})
	section(10, len(w.bodies), func(b []byte, i int) []byte {
		return append(wasm.AppendU32(b, uint32(len(w.bodies[i]))), w.bodies[i]...)
	})
	section(11, len(m.Data), func(b []byte, i int) []byte {
		b = appendConstant(append(b, 0), wasm.I32, uint64(m.Data[i].At))
		return append(wasm.AppendU32(b, uint32(len(m.Data[i].Bytes))), m.Data[i].Bytes...)
	})
	return b
}

// exports keeps what the interface requires and adds what the host resets.
func (w *rewriter) exports(mutable []int) []wasm.Export {
	var out []wasm.Export
	for _, e := range w.m.Exports {
		_, function := wasm.Required[e.Name]
		switch {
		case (function || w.keepAll) && e.Kind == wasm.ExternFunction:
			out = append(out, wasm.Export{Name: e.Name, Kind: e.Kind, Index: w.target(e.Index)})
		case e.Name == wasm.MemoryName:
			out = append(out, wasm.Export{Name: e.Name, Kind: e.Kind, Index: e.Index})
		}
	}
	out = append(out,
		wasm.Export{Name: FuelExport, Kind: wasm.ExternGlobal, Index: w.fuel},
		wasm.Export{Name: HeightExport, Kind: wasm.ExternGlobal, Index: w.height})
	for _, i := range mutable {
		out = append(out, wasm.Export{Name: GlobalExport(i), Kind: wasm.ExternGlobal, Index: uint32(i)})
	}
	return out
}

func appendName(b []byte, s string) []byte {
	return append(wasm.AppendU32(b, uint32(len(s))), s...)
}

func appendValues(b []byte, ts []wasm.ValueType) []byte {
	b = wasm.AppendU32(b, uint32(len(ts)))
	for _, t := range ts {
		b = append(b, byte(t))
	}
	return b
}

func appendRange(b []byte, r wasm.Range) []byte {
	if !r.HasMax {
		return wasm.AppendU32(append(b, 0), r.Min)
	}
	return wasm.AppendU32(wasm.AppendU32(append(b, 1), r.Min), r.Max)
}

func appendConstant(b []byte, t wasm.ValueType, v uint64) []byte {
	if t == wasm.I32 {
		b = wasm.AppendI64(append(b, byte(wasm.OpI32Const)), int64(int32(uint32(v))))
	} else {
		b = wasm.AppendI64(append(b, byte(wasm.OpI64Const)), int64(v))
	}
	return append(b, byte(wasm.OpEnd))
}

func appendGlobal(b []byte, g wasm.Global) []byte {
	mut := byte(0)
	if g.Mutable {
		mut = 1
	}
	return appendConstant(append(b, byte(g.Type), mut), g.Type, g.Init)
}
