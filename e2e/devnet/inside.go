package devnet

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/evmts/channels/e2e/opdevnet"
	"github.com/evmts/channels/sidecar/flags"
)

// inside is a sidecar's process when that is op-geth's.
type inside struct{ *opdevnet.Program }

func (i inside) Kill() error                         { return i.Kill9() }
func (i inside) Terminate(ctx context.Context) error { return i.Stop(ctx) }

// insideFile is the file of the options of the sidecar that runs inside op-geth. op-geth starts before there is one.
func insideFile(o *Options) string { return filepath.Join(o.Dir, "keys", "inside.toml") }

// moveInto has the sidecar run inside op-geth. It is called over the node's IPC socket.
func (s *Sidecar) moveInto(o *Options, stack *opdevnet.Stack) {
	s.host, s.config, s.ipc, s.LogFile = stack.Geth, insideFile(o), stack.IPCPath(), stack.Geth.LogFile
}

// startInside writes the options, and starts op-geth if it does not run. While it does, the sidecar starts when it is tried again.
func (s *Sidecar) startInside() error {
	if err := os.WriteFile(s.config, s.options(), 0o600); err != nil {
		return fmt.Errorf("write the options of %s: %w", s.Name, err)
	}
	s.proc = inside{s.host}
	if s.host.Running() {
		return nil
	}
	return s.host.Start(context.Background()) // it has its own time to get ready
}

// options are the arguments as a file. The node beside it is the one that it runs in.
func (s *Sidecar) options() []byte {
	values := map[string][]string{"private-key": {hexutil.Encode(crypto.FromECDSA(s.OwnerKey))}}
	args := s.args[1:] // without the command
	for i := 0; i < len(args); i++ {
		name, value, given := strings.Cut(strings.TrimPrefix(args[i], "--"), "=")
		switch {
		case given:
		case i+1 < len(args) && !strings.HasPrefix(args[i+1], "--"):
			i++
			value = args[i]
		default:
			value = "true"
		}
		values[name] = append(values[name], value)
	}
	delete(values, flags.L2EthRPC.Name)
	var text strings.Builder
	names := make([]string, 0, len(values))
	for n := range values {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		line, err := toml.Marshal(map[string][]string{n: values[n]})
		if err != nil {
			panic(err) // strings can be written
		}
		text.Write(line)
	}
	return []byte(text.String())
}
