package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/evmts/channels/channel"
	"github.com/evmts/channels/derivation"
	"github.com/urfave/cli/v2"
	"github.com/vmihailenco/msgpack/v5"
)

// A script is a game to run a module over, off chain and without keys:
//
//	{"participants": 2, "sequencer": 0,
//	 "funding": [{"asset": "0x0000000000000000000000000000000000000000", "amounts": ["5", "5"]}],
//	 "config": {"rounds": 3},
//	 "events": [{"author": 0, "payload": {"at": 4}, "timestamp": 1700000000}, {"author": 1, "hex": "0x81…"}]}
//
// Left out: sequencer 0, no funding, no config, timestamps that count up by one second. The genesis input is that of a channel
// without a World and with this config as MessagePack; "genesis": "0x…" in place of config gives all of it.
type script struct {
	Participants int             `json:"participants"`
	Sequencer    uint8           `json:"sequencer"`
	Funding      channel.Funding `json:"funding"`
	Config       json.RawMessage `json:"config,omitempty"`
	Genesis      hexutil.Bytes   `json:"genesis"`
	Events       []scriptEvent   `json:"events"`
}

type scriptEvent struct {
	Author    uint8           `json:"author"`
	Payload   json.RawMessage `json:"payload"`
	Hex       hexutil.Bytes   `json:"hex"`
	Timestamp uint64          `json:"timestamp"`
}

// game is what a module is run over: a script, or a journal of a data folder.
type game struct {
	params  channel.Params // without what depends on the module
	funding channel.Funding
	genesis []byte
	events  []channel.Event
	journal bool // the events have nonces and belong to params' own channel
}

var gameFlags = []cli.Flag{
	&cli.StringFlag{Name: "script", Usage: "`FILE` with a game: participants, funding, genesis and events as JSON (see docs/game-developers.md)"},
	&cli.StringFlag{Name: "data-dir", Usage: "`FOLDER` of a sidecar that does not run at the moment, to take a journal from"},
	&cli.StringFlag{Name: "channel", Usage: "`ID` of the channel in the data folder; not needed when it holds only one"},
}

// readGame takes the game that the flags name.
func readGame(ctx *cli.Context) (*game, error) {
	switch {
	case ctx.String("script") != "":
		return readScript(ctx.String("script"))
	case ctx.String("data-dir") != "":
		return readJournal(ctx)
	}
	return nil, errors.New("give a game: --script FILE, or --data-dir FOLDER with a journal")
}

func readScript(path string) (*game, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the script: %w", err)
	}
	s := script{Participants: 2}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		return nil, fmt.Errorf("script %s: %w", path, err)
	}
	if s.Participants < channel.MinParticipants || s.Participants > channel.MaxParticipants {
		return nil, fmt.Errorf("script %s: %d participants, allowed are %d to %d", path, s.Participants, channel.MinParticipants, channel.MaxParticipants)
	}
	if s.Genesis, err = s.genesis(); err != nil {
		return nil, fmt.Errorf("script %s: %w", path, err)
	}
	g := &game{funding: s.Funding, genesis: s.Genesis}
	g.params = channel.Params{
		Adjudicator: common.Address{1}, Nonce: 1, Window: 3600, ForceQuota: channel.MaxForceQuota, Sequencer: s.Sequencer,
		GenesisHash: channel.GenesisHash(s.Genesis), FundingHash: s.Funding.Hash(), FundingDeadline: 1,
	}
	g.params.ChainID.SetUint64(1)
	for i := range s.Participants {
		who := common.BytesToAddress(crypto.Keccak256([]byte("participant"), []byte{byte(i)})[12:])
		g.params.Participants = append(g.params.Participants, channel.Participant{Signer: who, Owner: who})
	}
	for i, e := range s.Events {
		payload := []byte(e.Hex)
		if e.Payload != nil {
			if payload, err = packJSON(e.Payload); err != nil {
				return nil, fmt.Errorf("script %s: event %d: %w", path, i, err)
			}
		}
		if e.Timestamp == 0 {
			e.Timestamp = uint64(1_700_000_000 + i)
		}
		g.events = append(g.events, channel.Event{Author: e.Author, Timestamp: e.Timestamp, Payload: payload})
	}
	return g, nil
}

// genesis is the genesis input: given, or abi.encode(settlement 0, world 0, namespaceId 0, configHash, ticket 0) and the config.
func (s *script) genesis() (hexutil.Bytes, error) {
	if s.Genesis != nil {
		if s.Config != nil {
			return nil, errors.New("give config or genesis, not both: the genesis contains the config")
		}
		return s.Genesis, nil
	}
	var config []byte
	if s.Config != nil {
		var err error
		if config, err = packJSON(s.Config); err != nil {
			return nil, fmt.Errorf("config: %w", err)
		}
	}
	input := make([]byte, 160, 160+len(config))
	copy(input[96:], crypto.Keccak256(config))
	return append(input, config...), nil
}

// packJSON makes MessagePack of JSON without fractions.
func packJSON(raw []byte) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	v, err := plain(v)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	enc := msgpack.NewEncoder(&out)
	enc.SetSortMapKeys(true)
	enc.UseCompactInts(true)
	err = enc.Encode(v)
	return out.Bytes(), err
}

func readJournal(ctx *cli.Context) (g *game, err error) {
	f, err := openStore(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	rec, err := f.store.Channel(f.id)
	if err != nil {
		return nil, err
	}
	last, err := f.store.LastSeq(f.id)
	if err != nil {
		return nil, err
	}
	g = &game{params: rec.Params, funding: rec.Funding, genesis: rec.GenesisInput, journal: true}
	for from := uint64(1); from <= last; {
		page, err := f.store.Entries(f.id, from, 1000)
		if err != nil {
			return nil, err
		}
		for _, e := range page {
			if e.Entry.Event == nil {
				return nil, fmt.Errorf("entry %d is a top-up: the tools run events only", e.Seq)
			}
			g.events = append(g.events, e.Entry.Event.Event)
		}
		from += uint64(len(page))
	}
	return g, nil
}

// step is one event of a run.
type step struct {
	Seq       uint64         `json:"seq"`
	Author    uint8          `json:"author"`
	Payload   string         `json:"payload"`
	Status    string         `json:"status"`
	Fuel      uint64         `json:"fuel"`
	StateHash common.Hash    `json:"stateHash"`
	State     *channel.State `json:"-"`
	Before    *channel.State `json:"-"`
	Event     channel.Event  `json:"-"`
}

// rulesModule is a module under the hash that channels name.
type rulesModule interface {
	channel.Module
	Hash() common.Hash
}

var _ rulesModule = (*derivation.Module)(nil)

// run plays the game on a module, from the genesis; visit gets each step, seq 0 first. Rejected events are shown and change
// nothing, as on a sequencer.
func (g *game) run(m rulesModule, visit func(*channel.Rules, step) error) error {
	params := g.params
	params.ModuleHash = m.Hash()
	rules, err := channel.NewRules(&params, g.funding, m)
	if err != nil {
		return err
	}
	state, verdict := rules.Genesis(g.genesis)
	if err := verdict.Err(); err != nil {
		return fmt.Errorf("the genesis: %w", err)
	}
	if err := visit(rules, step{Status: verdict.Text(), Fuel: verdict.Fuel, StateHash: state.Hash(), State: state}); err != nil {
		return err
	}
	seq := uint64(0)
	for _, e := range g.events {
		e.ChannelID = rules.ID()
		if int(e.Author) < len(state.Header.Nonces) {
			e.Nonce = state.Header.Nonces[e.Author] + 1
		}
		next, verdict := rules.Apply(state, seq+1, &e)
		s := step{Seq: seq + 1, Author: e.Author, Payload: readable(e.Payload), Status: verdict.Text(), Fuel: verdict.Fuel, Before: state, Event: e}
		if verdict.Status == channel.Accepted {
			state, seq = next, seq+1
		}
		s.State, s.StateHash = state, state.Hash()
		if err := visit(rules, s); err != nil {
			return err
		}
	}
	return nil
}
