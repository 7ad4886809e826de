package raid

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero/api"
)

// raid.wasm is what build.sh makes of assembly/, and it is integer-only.
func TestA9_ModuleIsBuiltFromItsSource(t *testing.T) {
	if _, err := os.Stat("../../node_modules/.bin/asc"); err != nil {
		t.Skip("raid.wasm was NOT compared with its source: the AssemblyScript compiler is missing, run `make deps`")
	}
	wasm, wat := filepath.Join(t.TempDir(), "raid.wasm"), filepath.Join(t.TempDir(), "raid.wat")
	out, err := exec.Command("sh", "build.sh", wasm, wat).CombinedOutput()
	require.NoError(t, err, string(out))
	built, err := os.ReadFile(wasm)
	require.NoError(t, err)
	require.Equal(t, built, Wasm, "assembly/ was changed without running examples/raid/build.sh")

	text, err := os.ReadFile(wat)
	require.NoError(t, err)
	require.Contains(t, string(text), "i32.add")
	require.Empty(t, regexp.MustCompile(`\b(f32|f64|v128|funcref|externref)\b[^\n]*`).FindString(stripTable(string(text))))
}

// stripTable drops the table that the compiler always declares.
func stripTable(wat string) string {
	return regexp.MustCompile(`\(table [^)]*\)`).ReplaceAllString(wat, "")
}

func TestC2_ModuleKeepsToTheInterface(t *testing.T) {
	h := newHost(t)
	require.Less(t, len(Wasm), 17<<10)
	for _, f := range h.compiled.ImportedFunctions() {
		module, name, _ := f.Import()
		require.Equal(t, "channels", module)
		require.Contains(t, []string{"keccak256", "emit", "log", "reject"}, name)
	}
	i32, i64 := api.ValueTypeI32, api.ValueTypeI64
	want := map[string][2][]api.ValueType{
		"allocate": {{i32}, {i32}}, "init": {{i32, i32}, {i64}},
		"reduce": {{i32, i32, i32, i32}, {i64}}, "effects": {{i32, i32}, {i64}},
	}
	exports := h.compiled.ExportedFunctions()
	require.Len(t, exports, len(want))
	for name, f := range exports {
		require.Equal(t, want[name], [2][]api.ValueType{f.ParamTypes(), f.ResultTypes()}, name)
	}
	memory := h.compiled.ExportedMemories()["memory"]
	require.NotNil(t, memory)
	most, bounded := memory.Max()
	require.EqualValues(t, 1, memory.Min())
	require.True(t, bounded)
	require.EqualValues(t, PageLimit, most)
}

// One call with its instance: a reveal that decides a round is the dearest.
func BenchmarkReduce(b *testing.B) {
	for _, heroes := range []int{2, 15} {
		h := newHost(b)
		g := newGame(b, h, setup{heroes: heroes, assets: 1, config: DefaultConfig()}, 1)
		s := g.until(func(s *State) bool { return s.Phase == PhaseReveal && len(s.Waiting()) == 1 })
		seat := s.Waiting()[0]
		payload, _ := g.bots[seat].Next(g.state.Bytes())
		event := append(make([]byte, 32), payload...)
		shape := g.rules.Shape()
		event[1], event[2], event[3], event[4] = byte(seat), byte(shape.Participants), byte(shape.Assets), byte(shape.Holders())
		state := g.state.Bytes()
		b.Run(map[int]string{2: "2 heroes", 15: "15 heroes"}[heroes], func(b *testing.B) {
			for b.Loop() {
				h.Reduce(state, event)
			}
			b.ReportMetric(float64(len(state)), "state-bytes")
		})
	}
}
