package channel

import (
	"crypto/elliptic"
	"encoding/binary"
	"fmt"
	"math/big"
	"sort"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/signer/core/apitypes"
	"github.com/holiman/uint256"
	"github.com/stretchr/testify/require"
)

// fieldTypes takes "Name(type field,...)" apart.
func fieldTypes(t *testing.T, primaryType, typeString string) (out []apitypes.Type) {
	inner, ok := strings.CutPrefix(typeString, primaryType+"(")
	require.True(t, ok)
	for _, f := range strings.Split(strings.TrimSuffix(inner, ")"), ",") {
		typ, name, ok := strings.Cut(f, " ")
		require.True(t, ok)
		out = append(out, apitypes.Type{Name: name, Type: typ})
	}
	return out
}

type stateCase struct {
	Name          string        `json:"name"`
	Participants  number        `json:"participants"`
	Beneficiaries number        `json:"beneficiaries"`
	Assets        number        `json:"assets"`
	LastTimestamp number        `json:"lastTimestamp"`
	Nonces        numbers       `json:"nonces"`
	TopUps        number        `json:"topUps"`
	Terminal      bool          `json:"terminal"`
	Amounts       numbers       `json:"amounts"` // asset-major: asset 0's holders, asset 1's holders, …
	Header        hexutil.Bytes `json:"header"`
	Funds         hexutil.Bytes `json:"funds"`
	App           hexutil.Bytes `json:"app"`
	HeaderHash    common.Hash   `json:"headerHash"`
	FundsHash     common.Hash   `json:"fundsHash"`
	AppHash       common.Hash   `json:"appHash"`
	StateHash     common.Hash   `json:"stateHash"`
}

type refusedHeader struct {
	Name         string        `json:"name"`
	Participants number        `json:"participants"`
	Header       hexutil.Bytes `json:"header"`
}

type stateVectors struct {
	Cases   []stateCase     `json:"cases"`
	Refused []refusedHeader `json:"refused"`
}

func goldenStates() (out stateVectors) {
	add := func(name string, shape Shape, h Header, amount func(i int) uint256.Int, app []byte) {
		c := stateCase{
			Name: name, Participants: num(uint64(shape.Participants)), Beneficiaries: num(uint64(shape.Beneficiaries)), Assets: num(uint64(shape.Assets)),
			LastTimestamp: num(h.LastTimestamp), Nonces: nums(h.Nonces...), TopUps: num(uint64(h.TopUps)), Terminal: h.Terminal, Amounts: numbers{},
		}
		s := State{Header: h, App: app}
		for i := range shape.Assets * shape.Holders() {
			v := amount(i)
			w := v.Bytes32()
			s.Funds = append(s.Funds, w[:]...)
			c.Amounts = append(c.Amounts, number{v})
		}
		c.Header, c.Funds, c.App = h.Encode(), hexBytes(s.Funds), hexBytes(app)
		c.HeaderHash, c.FundsHash, c.AppHash = s.HashParts()
		c.StateHash = s.Hash()
		out.Cases = append(out.Cases, c)
	}
	count := func(i int) uint256.Int { return *uint256.NewInt(uint64(100 + i)) }
	full := func(int) uint256.Int { return maxUint256 }
	nonces := func(n int, v uint64) []uint64 {
		out := make([]uint64, n)
		for i := range out {
			out[i] = v - uint64(i)
		}
		return out
	}
	add("genesis of two", Shape{2, 0, 1}, Header{Nonces: nonces(2, 1)[:2]}, count, nil)
	add("no assets", Shape{2, 0, 0}, Header{5, []uint64{1, 2}, 0, false}, count, []byte{1})
	add("terminal, two assets, a beneficiary, a top-up", Shape{3, 1, 2}, Header{1_800_000_000, []uint64{4, 0, 9}, 1, true}, count, testBytes("app", 100))
	add("16 participants, 8 beneficiaries, 8 assets, largest numbers", Shape{16, 8, 8}, Header{maxUint64, nonces(16, maxUint64), 1<<32 - 1, true}, full, testBytes("app", 33))
	add("ledger without guarantees", Shape{2, 0, 1}, Header{Nonces: []uint64{0, 0}}, count, emptyGuarantees)
	add("16 KiB of app", Shape{2, 0, 1}, Header{Nonces: []uint64{1, 1}}, count, testBytes("app", MaxApp))

	refuse := func(name string, n int, header []byte) {
		out.Refused = append(out.Refused, refusedHeader{name, num(uint64(n)), hexBytes(header)})
	}
	good := Header{7, []uint64{1, 2}, 3, true}.Encode()
	with := func(i int, v byte) []byte {
		b := append([]byte(nil), good...)
		b[i] = v
		return b
	}
	refuse("empty", 2, nil)
	refuse("a byte short", 2, good[:len(good)-1])
	refuse("a byte long", 2, append(append([]byte(nil), good...), 0))
	refuse("a word short", 2, good[:len(good)-32])
	refuse("a word long", 2, append(append([]byte(nil), good...), make([]byte, 32)...))
	refuse("header of 2 for 3 participants", 3, good)
	refuse("lastTimestamp above 64 bits", 2, with(23, 1))
	refuse("lastTimestamp's first byte", 2, with(0, 0x80))
	refuse("nonce above 64 bits", 2, with(32+23, 1))
	refuse("last nonce's first byte", 2, with(64, 1))
	refuse("topUps above 32 bits", 2, with(96+27, 1))
	refuse("topUps above 64 bits", 2, with(96+23, 1))
	refuse("terminal is 2", 2, with(128+31, 2))
	refuse("terminal is 256", 2, with(128+30, 1))
	refuse("terminal's first byte", 2, with(128, 1))
	return out
}

func TestVectorsF2_State(t *testing.T) {
	file := golden(t, "state.json", goldenStates())
	for _, c := range file.Cases {
		t.Run(c.Name, func(t *testing.T) {
			shape := Shape{int(c.Participants.Uint64()), int(c.Beneficiaries.Uint64()), int(c.Assets.Uint64())}
			s := &State{Header{c.LastTimestamp.Uint64(), c.Nonces.uint64s(), uint32(c.TopUps.Uint64()), c.Terminal}, c.Funds, c.App}

			byHand := wordOf(c.LastTimestamp.Uint64()).bytes
			for _, n := range c.Nonces {
				byHand = append(byHand, wordOf(n.Uint64()).bytes...)
			}
			byHand = append(append(byHand, wordOf(c.TopUps.Uint64()).bytes...), wordOfBool(c.Terminal).bytes...)
			require.Equal(t, c.Header, hexutil.Bytes(byHand))
			require.Equal(t, c.Header, hexutil.Bytes(s.Header.Encode()))

			var funds []byte
			for _, a := range c.Amounts {
				funds = append(funds, wordOfInt(a.ToBig()).bytes...)
			}
			require.Equal(t, c.Funds, hexBytes(funds))
			for i, a := range c.Amounts {
				require.Equal(t, a.Int, s.Amount(shape, i/shape.Holders(), i%shape.Holders()))
			}

			require.Equal(t, []common.Hash{hash(c.Header), hash(c.Funds), hash(c.App)}, []common.Hash{c.HeaderHash, c.FundsHash, c.AppHash})
			require.Equal(t, c.StateHash, hash(frameOf(wordOfHash(c.HeaderHash), wordOfHash(c.FundsHash), wordOfHash(c.AppHash)).bytes))
			require.Equal(t, c.StateHash, s.Hash())

			all := append(append(append([]byte(nil), c.Header...), c.Funds...), c.App...)
			require.Equal(t, all, s.Bytes())
			back, err := DecodeState(all, shape)
			require.NoError(t, err)
			require.Equal(t, s.Header, back.Header)
			require.Equal(t, all, back.Bytes())
			require.Equal(t, c.StateHash, back.Hash())
		})
	}
	for _, c := range file.Refused {
		t.Run("refused: "+c.Name, func(t *testing.T) {
			_, err := DecodeHeader(c.Header, Shape{Participants: int(c.Participants.Uint64())})
			require.ErrorIs(t, err, &Refusal{Code: CodeMalformed})
		})
	}
}

type effectFields struct {
	Op         number        `json:"op"`
	ResourceID common.Hash   `json:"resourceId"`
	Key        []common.Hash `json:"key"`
	Data       hexutil.Bytes `json:"data"`
}

type effectsCase struct {
	Name        string         `json:"name"`
	Effects     []effectFields `json:"effects"`
	Encoded     hexutil.Bytes  `json:"encoded"`     // abi.encode(Effect[]), one argument
	EffectsHash common.Hash    `json:"effectsHash"` // keccak256(encoded)
}

func goldenEffects() map[string][]Effect {
	table := common.BytesToHash(append([]byte("tbraid\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00Loot\x00\x00\x00\x00\x00\x00\x00\x00"), make([]byte, 4)...))
	key := func(n int) (out []common.Hash) {
		out = []common.Hash{}
		for i := range n {
			out = append(out, testHash("key "+string(rune('a'+i))))
		}
		return out
	}
	set := frameOf(bytesOf(testBytes("static", 37)), wordOfHash(testHash("lengths")), bytesOf(testBytes("dynamic", 64))).bytes
	increment := frameOf(wordOf(2), wordOfInt(new(big.Int).Lsh(big.NewInt(1), 255))).bytes // the most negative delta
	most := make([]Effect, MaxEffects)                                                     // with a key or data in each, the limit of bytes would bind first
	for i := range most {
		most[i] = Effect{EffectDelete, testHash("resource " + string(rune('a'+i))), key(0), []byte{}}
	}
	return map[string][]Effect{
		"none": {},
		"all operations": {
			{EffectSet, table, key(1), set},
			{EffectDelete, table, key(2), []byte{}},
			{EffectIncrement, table, key(1), increment},
			{EffectCall, common.BytesToHash([]byte("sy system id")), key(0), append([]byte{1, 2, 3, 4}, wordOf(5).bytes...)},
		},
		"no key, no data": {{EffectDelete, common.Hash{}, key(0), []byte{}}},
		"32 effects":      most,
		"8 KiB":           {{EffectCall, table, key(0), testBytes("call", MaxEffectBytes-32*9)}},
	}
}

func TestVectorsF2_Effects(t *testing.T) {
	var out vectors[effectsCase]
	all := goldenEffects()
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		c := effectsCase{Name: name, Effects: []effectFields{}, Encoded: EncodeEffects(all[name]), EffectsHash: EffectsHash(all[name])}
		for _, e := range all[name] {
			c.Effects = append(c.Effects, effectFields{num(uint64(e.Op)), e.ResourceID, e.Key, hexBytes(e.Data)})
		}
		out.Cases = append(out.Cases, c)
	}
	for _, c := range golden(t, "effects.json", out).Cases {
		t.Run(c.Name, func(t *testing.T) {
			effects := []Effect{}
			for _, e := range c.Effects {
				effects = append(effects, Effect{uint8(e.Op.Uint64()), e.ResourceID, e.Key, e.Data})
			}
			require.Equal(t, c.Encoded, hexutil.Bytes(EncodeEffects(effects)))
			require.Equal(t, c.Encoded, hexutil.Bytes(oneArgument(oracleEffects(effects))), "hand-made words")
			require.Equal(t, c.EffectsHash, EffectsHash(effects))
			require.Equal(t, c.EffectsHash, hash(c.Encoded))
			back, err := DecodeEffects(c.Encoded)
			require.NoError(t, err)
			require.Equal(t, effects, back)
		})
	}
}

type signatureCase struct {
	Name      string         `json:"name"`
	Digest    common.Hash    `json:"digest"`
	Signature hexutil.Bytes  `json:"signature"`
	Signer    common.Address `json:"signer"` // the expected one
	Valid     bool           `json:"valid"`
}

func goldenSignatures(t *testing.T) (out vectors[signatureCase]) {
	add := func(name string, digest common.Hash, sig []byte, signer common.Address, valid bool) {
		out.Cases = append(out.Cases, signatureCase{name, digest, hexBytes(sig), signer, valid})
	}
	sign := func(digest common.Hash) []byte {
		s, err := Sign(digest, testKey(0))
		require.NoError(t, err)
		return s[:]
	}
	// Two digests, one of each parity.
	byV := map[byte]common.Hash{}
	for i := 0; len(byV) < 2; i++ {
		d := testHash("digest " + string(rune('a'+i)))
		byV[sign(d)[64]] = d
	}
	signer, digest := testSigner(0), byV[27]
	good := sign(digest)
	with := func(f func(b []byte)) []byte {
		b := append([]byte(nil), good...)
		f(b)
		return b
	}
	n := crypto.S256().Params().N
	number := func(at int, v *big.Int) []byte {
		return with(func(b []byte) { copy(b[at:], common.LeftPadBytes(v.Bytes(), 32)) })
	}
	high := func() []byte { // (r, n - s, other v): the same signature to a lax verifier
		b := number(32, new(big.Int).Sub(n, new(big.Int).SetBytes(good[32:64])))
		b[64] = 28
		return b
	}()
	half := new(big.Int).Rsh(n, 1)

	add("v 27", digest, good, signer, true)
	add("v 28", byV[28], sign(byV[28]), signer, true)
	add("zero digest", common.Hash{}, sign(common.Hash{}), signer, true)
	add("another signer", digest, good, testSigner(1), false)
	add("zero signer", digest, good, common.Address{}, false)
	add("another digest", byV[28], good, signer, false)
	add("the other v", digest, with(func(b []byte) { b[64] = 28 }), signer, false)
	add("high s", digest, high, signer, false)
	for _, v := range []byte{0, 1, 2, 26, 29, 35, 255} {
		add(fmt.Sprintf("v %d", v), digest, with(func(b []byte) { b[64] = v }), signer, false)
	}
	add("r = 0", digest, number(0, new(big.Int)), signer, false)
	add("r = n", digest, number(0, n), signer, false)
	add("r = 2^256 - 1", digest, number(0, maxUint256.ToBig()), signer, false)
	add("r not on the curve", digest, number(0, notOnCurve()), signer, false)
	add("s = 0", digest, number(32, new(big.Int)), signer, false)
	add("s = n / 2, by nobody", digest, number(32, half), signer, false)
	add("s = n / 2 + 1", digest, number(32, new(big.Int).Add(half, big.NewInt(1))), signer, false)
	add("s = n", digest, number(32, n), signer, false)
	add("zero signature and zero signer", digest, make([]byte, 65), common.Address{}, false)
	add("empty", digest, nil, signer, false)
	add("64 bytes (EIP-2098)", digest, compactForm(good), signer, false)
	add("64 bytes without v", digest, good[:64], signer, false)
	add("66 bytes", digest, append(append([]byte(nil), good...), 0), signer, false)
	return out
}

// compactForm is EIP-2098's: v in the top bit of s.
func compactForm(sig []byte) []byte {
	b := append([]byte(nil), sig[:64]...)
	b[32] |= (sig[64] - 27) << 7
	return b
}

// notOnCurve is an r that is no x coordinate: recovery fails after every range check passed.
func notOnCurve() *big.Int {
	p := crypto.S256().(elliptic.Curve).Params().P
	for x := big.NewInt(1); ; x.Add(x, big.NewInt(1)) {
		y2 := new(big.Int).Exp(x, big.NewInt(3), p)
		y2.Add(y2, big.NewInt(7))
		if big.Jacobi(y2, p) == -1 {
			return x
		}
	}
}

func TestVectorsAttack14_Signature(t *testing.T) {
	for _, c := range golden(t, "signature.json", goldenSignatures(t)).Cases {
		t.Run(c.Name, func(t *testing.T) {
			s, err := ParseSignature(c.Signature)
			if err == nil {
				err = s.Verify(c.Digest, c.Signer)
			}
			if c.Valid {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, ErrSignature)
			if len(c.Signature) == 65 { // Verify alone must refuse too: not every Signature came through ParseSignature
				require.ErrorIs(t, Signature(c.Signature).Verify(c.Digest, c.Signer), ErrSignature)
			}
		})
	}
}

type reduceInputCase struct {
	Name         string        `json:"name"`
	Kind         number        `json:"kind"` // 0 event, 1 top-up, 2 timeout
	Author       number        `json:"author"`
	Participants number        `json:"participants"`
	Assets       number        `json:"assets"`
	Holders      number        `json:"holders"` // participants + beneficiaries
	Time         number        `json:"time"`
	Seq          number        `json:"seq"`
	Nonce        number        `json:"nonce"`
	Payload      hexutil.Bytes `json:"payload"`
	Encoded      hexutil.Bytes `json:"encoded"`
}

func TestVectorsF2_ReduceInput(t *testing.T) {
	var out vectors[reduceInputCase]
	add := func(name string, shape Shape, kind, author uint8, time, seq, nonce uint64, payload []byte) {
		out.Cases = append(out.Cases, reduceInputCase{
			name, num(uint64(kind)), num(uint64(author)), num(uint64(shape.Participants)), num(uint64(shape.Assets)), num(uint64(shape.Holders())),
			num(time), num(seq), num(nonce), hexBytes(payload), reduceInput(shape, kind, author, time, seq, nonce, payload),
		})
	}
	topUp := append([]byte{1}, wordOf(500).bytes...)
	add("event", Shape{3, 1, 2}, 0, 2, 1_800_000_000, 65, 7, testBytes("payload", 45))
	add("event with empty payload", Shape{2, 0, 0}, 0, 0, 0, 1, 1, nil)
	add("event with the largest numbers", Shape{16, 8, 8}, 0, 15, maxUint64, maxUint64, maxUint64, testBytes("payload", MaxPayload))
	add("top-up", Shape{3, 1, 2}, 1, 2, 1_800_000_000, 65, 0, topUp)
	add("timeout", Shape{3, 1, 2}, 2, 0xff, 1_800_003_600, 66, 0, nil)
	for _, c := range golden(t, "reduceinput.json", out).Cases {
		t.Run(c.Name, func(t *testing.T) {
			shape := Shape{int(c.Participants.Uint64()), int(c.Holders.Uint64() - c.Participants.Uint64()), int(c.Assets.Uint64())}
			got := reduceInput(shape, uint8(c.Kind.Uint64()), uint8(c.Author.Uint64()), c.Time.Uint64(), c.Seq.Uint64(), c.Nonce.Uint64(), c.Payload)
			require.Equal(t, c.Encoded, hexutil.Bytes(got))

			byHand := []byte{byte(c.Kind.Uint64()), byte(c.Author.Uint64()), byte(c.Participants.Uint64()), byte(c.Assets.Uint64()), byte(c.Holders.Uint64()), 0, 0, 0}
			for _, v := range []number{c.Time, c.Seq, c.Nonce} {
				byHand = binary.LittleEndian.AppendUint64(byHand, v.Uint64())
			}
			require.Equal(t, c.Encoded, hexutil.Bytes(append(byHand, c.Payload...)))
		})
	}
}
