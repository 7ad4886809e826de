package modules

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
	"github.com/vmihailenco/msgpack/v5"

	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation"
)

// probes are the modules of testdata/probe, one for each language.
type probes struct {
	tb      testing.TB
	modules []*derivation.Module
	shape   shape
	state   []byte
	fuel    map[string][]uint64 // the most of each kind of probe, by language
}

type shape struct{ seats, assets, columns int }

func loadProbes(tb testing.TB) *probes {
	e, err := derivation.NewEngine(derivation.Config{})
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, e.Close()) })
	p := &probes{tb: tb, fuel: map[string][]uint64{}}
	for _, lang := range Languages {
		wasm, err := os.ReadFile("testdata/probe/" + lang + ".wasm")
		require.NoError(tb, err)
		m, err := e.Load(wasm, derivation.Options{FuelLimit: derivation.MaxFuelLimit})
		require.NoError(tb, err, lang)
		p.modules = append(p.modules, m)
	}
	p.sit(shape{2, 0, 2}, nil)
	return p
}

// sit sets the state that probes get.
func (p *probes) sit(s shape, funds []byte) {
	p.shape = s
	p.state = append(make([]byte, 32*(s.seats+3)), funds...)
}

func (p *probes) event(payload []byte) []byte {
	b := make([]byte, 32, 32+len(payload))
	b[2], b[3], b[4] = byte(p.shape.seats), byte(p.shape.assets), byte(p.shape.columns)
	return append(b, payload...)
}

// run requires that all languages answer alike, and gives the answer without its first byte, or the reason of the rejection.
func (p *probes) run(t testing.TB, name string, payload []byte) ([]byte, string) {
	t.Helper()
	event := p.event(payload)
	return p.same(t, name, func(m *derivation.Module) channel.Result { return m.Reduce(p.state, event) })
}

func (p *probes) same(t testing.TB, name string, call func(m *derivation.Module) channel.Result) ([]byte, string) {
	t.Helper()
	if p.fuel[name] == nil {
		p.fuel[name] = make([]uint64, len(p.modules))
	}
	var first channel.Result
	for i, m := range p.modules {
		r := call(m)
		if i == 0 {
			first = r
		}
		require.Equal(t, first.Status, r.Status, "%s: %s %s, %s: %s %s", Languages[0], first.Status, first.Reason, Languages[i], r.Status, r.Reason)
		require.Equal(t, first.Reason, r.Reason, Languages[i])
		require.Equal(t, hex.EncodeToString(first.Output), hex.EncodeToString(r.Output), Languages[i])
		p.fuel[name][i] = max(p.fuel[name][i], r.Fuel)
	}
	if first.Status == channel.RejectedByModule {
		return nil, first.Reason
	}
	require.Equal(t, channel.Accepted, first.Status, first.Reason)
	return first.Output[1:], ""
}

func msgpackProbe(schema string, input []byte) []byte {
	return append(append([]byte{0, byte(len(schema))}, schema...), input...)
}

func TestR5_MessagePackVectors(t *testing.T) {
	p := loadProbes(t)
	text, err := os.ReadFile("testdata/msgpack.json")
	require.NoError(t, err)
	var vectors []struct{ Name, Schema, Input, Want, Error string }
	require.NoError(t, json.Unmarshal(text, &vectors))
	require.Greater(t, len(vectors), 70)
	for _, v := range vectors {
		input, err := hex.DecodeString(v.Input)
		require.NoError(t, err, v.Name)
		got, reason := p.run(t, "msgpack", msgpackProbe(v.Schema, input))
		require.Equal(t, v.Error, reason, v.Name)
		require.Equal(t, v.Want, hex.EncodeToString(got), v.Name)
	}
}

// What Go's encoder writes, all four read; what is cut or changed, all four judge alike.
func TestR5_MessagePackOfGo(t *testing.T) {
	p := loadProbes(t)
	rng := rand.New(rand.NewPCG(1, 1))
	for range 300 {
		var input bytes.Buffer
		e := msgpack.NewEncoder(&input)
		schema, want := "", []byte{}
		for range rng.IntN(12) {
			n := rng.Uint64() >> rng.IntN(64)
			content := make([]byte, rng.IntN(70))
			switch k := rng.IntN(6); k {
			case 0:
				schema += "u"
				if rng.IntN(2) == 0 {
					require.NoError(t, e.EncodeUint(n))
				} else {
					n >>= 1
					require.NoError(t, e.EncodeInt(int64(n)))
				}
				want = binary.LittleEndian.AppendUint64(want, n)
			case 1:
				schema += "b"
				require.NoError(t, e.EncodeBool(n&1 == 1))
				want = append(want, byte(n&1))
			case 2:
				schema += "s"
				require.NoError(t, e.EncodeString(string(content)))
				want = append(binary.LittleEndian.AppendUint32(want, uint32(len(content))), content...)
			case 3:
				schema += "x"
				require.NoError(t, e.EncodeBytes(content))
				want = append(binary.LittleEndian.AppendUint32(want, uint32(len(content))), content...)
			case 4:
				schema += "a"
				require.NoError(t, e.EncodeArrayLen(int(n%17)))
				want = binary.LittleEndian.AppendUint32(want, uint32(n%17))
			case 5:
				schema += "m"
				require.NoError(t, e.EncodeMapLen(int(n%17)))
				want = binary.LittleEndian.AppendUint32(want, uint32(n%17))
			}
		}
		got, reason := p.run(t, "msgpack", msgpackProbe(schema+"d", input.Bytes()))
		require.Empty(t, reason)
		require.Equal(t, want, append([]byte{}, got...))

		if b := input.Bytes(); len(b) > 0 {
			b[rng.IntN(len(b))] = byte(rng.Uint32())
			p.run(t, "msgpack", msgpackProbe(schema+"d", b[:1+rng.IntN(len(b))]))
		}
	}
}

func FuzzMessagePack(f *testing.F) {
	p := loadProbes(f)
	f.Add("ud", []byte{1})
	f.Add("msubxhd", []byte{0x81, 0xa0, 0xc2})
	f.Fuzz(func(t *testing.T, schema string, input []byte) {
		if len(schema) > 64 || len(input) > channel.MaxPayload-66 {
			return
		}
		p.run(t, "msgpack", msgpackProbe(schema, input))
	})
}

func TestC2_EventAndState(t *testing.T) {
	p := loadProbes(t)
	p.sit(shape{3, 2, 4}, make([]byte, 32*8))
	var want []byte
	put := func(v uint64) { want = binary.LittleEndian.AppendUint64(want, v) }
	word := func(i int, v uint64) { binary.BigEndian.PutUint64(p.state[32*i+24:], v) }
	word(0, 1_700_000_001) // lastTimestamp
	word(1, 11)
	word(2, 1<<63)
	word(3, 13)
	word(4, 7) // topUps
	word(5, 1) // terminal
	event := p.event([]byte{5, 9, 9})
	event[0], event[1] = 1, 2
	binary.LittleEndian.PutUint64(event[8:], 1_700_000_002)
	binary.LittleEndian.PutUint64(event[16:], 1<<40)
	binary.LittleEndian.PutUint64(event[24:], 14)
	for _, v := range []uint64{1, 2, 3, 2, 4, 1_700_000_002, 1 << 40, 14, 3, 1_700_000_001, 11, 1 << 63, 13, 7, 1} {
		put(v)
	}
	got, reason := p.same(t, "event", func(m *derivation.Module) channel.Result { return m.Reduce(p.state, event) })
	require.Empty(t, reason)
	require.Equal(t, want, got)
}

// The funds of Go's State, moved in Go and by the SDKs.
func TestC2_Funds(t *testing.T) {
	p := loadProbes(t)
	rng := rand.New(rand.NewPCG(2, 2))
	limit := new(uint256.Int).Lsh(uint256.NewInt(1), 124)
	refusals := map[string]int{}
	for range 400 {
		s := shape{2 + rng.IntN(3), 1 + rng.IntN(3), 0}
		s.columns = s.seats + rng.IntN(3)
		cells := make([]*uint256.Int, s.assets*s.columns)
		var funds []byte
		wide := false
		for i := range cells {
			cells[i] = &uint256.Int{rng.Uint64() >> rng.IntN(64), 0, 0, 0}
			if rng.IntN(2) == 0 {
				cells[i][1] = rng.Uint64() >> (4 + rng.IntN(60))
			}
			if rng.IntN(200) == 0 {
				cells[i][3], wide = math.MaxUint64, true // only transferAll can carry such an amount
			}
			w := cells[i].Bytes32()
			funds = append(funds, w[:]...)
		}
		p.sit(s, funds)
		script, want := []byte{1}, ""
		for range 1 + rng.IntN(5) {
			a, b, c := rng.IntN(s.assets), rng.IntN(s.columns), rng.IntN(s.columns)
			op := rng.IntN(5)
			switch {
			case op == 0 && rng.IntN(20) == 0:
				b = s.columns
			case op == 2 && b == c, op == 4 && (b+1 >= s.columns || c == b || c == b+1):
				continue
			}
			script = append(script, byte(op), byte(a), byte(b), byte(c))
			if op == 1 {
				script[len(script)-3] = byte(s.columns)
			}
			if want == "" {
				want = model(cells, s, op, a, b, c, limit)
			}
		}
		if wide && slices.Max(ops(script)) > 1 {
			continue // cells hold 128 bits: check comes before unpack
		}
		got, reason := p.run(t, "funds", script)
		require.Equal(t, want, reason)
		refusals[reason]++
		if reason != "" {
			continue
		}
		for i, c := range cells {
			w := c.Bytes32()
			require.Equal(t, hex.EncodeToString(w[:]), hex.EncodeToString(got[32*i:32*i+32]), "%x, cell %d of %+v", script, i, s)
		}
	}
	require.Greater(t, len(refusals), 4, "%v", refusals)
}

// ops are the first bytes of the steps of probe 1.
func ops(script []byte) []byte {
	out := []byte{0}
	for i := 1; i < len(script); i += 4 {
		out = append(out, script[i])
	}
	return out
}

// model does one step of probe 1 and gives the reason of a refusal.
func model(cells []*uint256.Int, s shape, op, a, b, c int, limit *uint256.Int) string {
	at := func(p int) *uint256.Int { return cells[a*s.columns+p] }
	switch op {
	case 0:
		if b >= s.columns {
			return "no such column of the funds"
		}
		if b == c {
			return ""
		}
		if _, overflow := at(c).AddOverflow(at(c), at(b)); overflow {
			return "an amount is too large"
		}
		at(b).Clear()
	case 1:
		for _, v := range cells {
			if !v.Lt(limit) {
				return "a stake is 2^124 or more"
			}
		}
	case 2:
		h := new(uint256.Int).Rsh(at(b), 1)
		at(b).Sub(at(b), h)
		at(c).Add(at(c), h)
	case 3:
		weights, whole := make([]uint64, s.columns), uint64(0)
		for i := range weights {
			if i != b {
				weights[i] = uint64(i * 7 * c)
				whole += weights[i]
			}
		}
		if whole == 0 {
			return "weights sum to nothing or to too much"
		}
		pot, left := at(b).Clone(), at(b).Clone()
		for i, w := range weights {
			share, _ := new(uint256.Int).MulDivOverflow(pot, uint256.NewInt(w), uint256.NewInt(whole))
			if i != b {
				at(i).Add(at(i), share)
				left.Sub(left, share)
			}
		}
		at(b).Set(left)
	case 4:
		if at(b).Lt(at(c)) {
			return "a cell holds too little"
		}
		at(b).Sub(at(b), at(c))
		at(b+1).Add(at(b+1), at(c))
	}
	return ""
}

// Effects of every kind and size against Go's encoder, with the limits that make some of them not fit.
func TestC3_Effects(t *testing.T) {
	p := loadProbes(t)
	rng := rand.New(rand.NewPCG(3, 3))
	full := 0
	resource := func(kind, name string) (id common.Hash) {
		copy(id[:], kind+"abcdefghijklmn"+name)
		return id
	}
	uintWord := func(v uint64) (w common.Hash) { binary.BigEndian.PutUint64(w[24:], v); return w }
	for round := range 200 {
		var script []byte
		effects := []channel.Effect{}
		for i := range rng.IntN(45) {
			op, n, delta := byte(rng.IntN(4)), byte(rng.IntN(4)), int64(rng.Uint64())>>rng.IntN(64)
			a, b := uint32(rng.IntN(100)), uint32(rng.IntN(100))
			if round%4 == 0 && i > 8 {
				break
			} else if round%4 == 0 && i == 0 {
				a, b = uint32(rng.IntN(200)), uint32(7600+rng.IntN(700)) // about as much as there is room for
			}
			script = binary.LittleEndian.AppendUint32(append(script, op, n), a)
			script = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint32(script, b), uint64(delta))
			bytes := make([]byte, a+b)
			for i := range min(len(bytes), 300) {
				bytes[i] = byte(i * 3)
			}
			e := channel.Effect{Op: op, ResourceID: resource("tb", "Probe"), Key: []common.Hash{}, Data: []byte{}}
			for i := range int(n) {
				key := uintWord(uint64(a) + uint64(i))
				if i&1 == 1 {
					key = common.Hash{}
					for k := 12; k < 32; k++ {
						key[k] = byte(int(a) + i)
					}
				}
				e.Key = append(e.Key, key)
			}
			switch op {
			case channel.EffectSet:
				e.Data = setData(bytes[:a], uintWord(uint64(b)), bytes[a:])
			case channel.EffectIncrement:
				field := uintWord(uint64(a))
				d := common.BigToHash(new(big.Int).And(big.NewInt(delta), new(big.Int).SetBytes(bytes32(0xff))))
				e.Data = append(field[:], d[:]...)
			case channel.EffectCall:
				e.ResourceID, e.Key, e.Data = resource("sy", "ProbeSystemIsLon"), []common.Hash{}, bytes[:b]
			}
			if grown := append(effects, e); len(grown) <= channel.MaxEffects && len(channel.EncodeEffects(grown)) <= channel.MaxEffectBytes {
				effects = grown
			} else {
				full++
			}
		}
		want := channel.EncodeEffects(effects)
		if len(script) == 0 {
			script = []byte{}
		}
		p.same(t, "effects", func(m *derivation.Module) channel.Result {
			r := m.Effects(script)
			require.Equal(t, channel.Accepted, r.Status, r.Reason)
			require.Equal(t, hex.EncodeToString(want), hex.EncodeToString(r.Output))
			return r
		})
	}
	require.Positive(t, full)
}

func bytes32(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }

// setData is abi.encode(bytes, bytes32, bytes).
func setData(fixed []byte, lengths common.Hash, dynamic []byte) []byte {
	word := func(v int) []byte { w := make([]byte, 32); binary.BigEndian.PutUint64(w[24:], uint64(v)); return w }
	pad := func(b []byte) []byte { return append(append([]byte{}, b...), make([]byte, (32-len(b)%32)%32)...) }
	out := append(word(96), lengths[:]...)
	out = append(out, word(128+len(pad(fixed)))...)
	out = append(append(out, word(len(fixed))...), pad(fixed)...)
	return append(append(out, word(len(dynamic))...), pad(dynamic)...)
}

// The figures of README.md are those of the modules that are checked in.
func TestN_FuelOfTheParts(t *testing.T) {
	p := loadProbes(t)
	deck := append(append(append([]byte{3}, make([]byte, 32)...), le32(1)...), 52)
	p.run(t, "52 cards", append(deck, le32(6)...))
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	row := "| 52 cards shuffled, and 12 numbers |"
	for _, fuel := range p.fuel["52 cards"] {
		row += " " + thousands(fuel) + " |"
	}
	require.Contains(t, string(readme), row)

	row = "| tic-tac-toe: bytes · fuel of the first move |"
	table, err := os.ReadFile("../../examples/tictactoe/README.md")
	require.NoError(t, err)
	for _, lang := range Languages {
		cells := regexp.MustCompile(`\| ` + lang + ` \| (\d+) \| \d+ \| (\d+) \|`).FindSubmatch(table)
		require.NotNil(t, cells, lang)
		size, err := strconv.ParseUint(string(cells[1]), 10, 64)
		require.NoError(t, err)
		fuel, err := strconv.ParseUint(string(cells[2]), 10, 64)
		require.NoError(t, err)
		row += " " + thousands(size) + " · " + thousands(fuel) + " |"
	}
	require.Contains(t, string(readme), row)
}

// thousands writes a number with commas.
func thousands(v uint64) string {
	if v < 1000 {
		return strconv.FormatUint(v, 10)
	}
	return fmt.Sprintf("%s,%03d", thousands(v/1000), v%1000)
}

// A full set of effects stays well below the fuel limit in every language.
func TestC3_AllEffectsFitTheFuel(t *testing.T) {
	p := loadProbes(t)
	var script []byte
	for i := range channel.MaxEffects {
		script = append(script, channel.EffectIncrement, byte(0), byte(i))
		script = append(script, make([]byte, 15)...)
	}
	p.same(t, "32 effects", func(m *derivation.Module) channel.Result { return m.Effects(script) })
	for i, lang := range Languages {
		require.Less(t, p.fuel["32 effects"][i], uint64(derivation.DefaultFuelLimit), lang)
		t.Log(lang, p.fuel["32 effects"][i])
	}
}
