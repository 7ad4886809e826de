package worlddeploy_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/mudbridge/worlddeploy"
)

func script(t *testing.T, body string) worlddeploy.Config {
	t.Helper()
	key, err := crypto.GenerateKey()
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "deploy.sh")
	require.NoError(t, os.WriteFile(file, []byte(body), 0o600))
	return worlddeploy.Config{Script: file, RPC: "http://127.0.0.1:1", Key: key, Node: "sh"}
}

const printed = `{"chainId":31337,"deployer":"0x00000000000000000000000000000000000000aa","world":"0x00000000000000000000000000000000000000bb",
"worldBlock":7,"namespace":"raid","namespaceId":"0x6e73726169640000000000000000000000000000000000000000000000000000",
"tables":{"Loot":{"tableId":"0x746272616964000000000000000000004c6f6f74000000000000000000000000",
"fieldLayout":"0x0004010004000000000000000000000000000000000000000000000000000000",
"keySchema":"0x0018020061030000000000000000000000000000000000000000000000000000",
"valueSchema":"0x0004010003000000000000000000000000000000000000000000000000000000",
"keyNames":["player","itemId"],"fieldNames":["amount"]}}}`

func TestC3_DeployReadsWhatTheScriptPrints(t *testing.T) {
	salt := common.HexToHash("0x01")
	c := script(t, "test ${#PRIVATE_KEY} = 66 && test \"$1\" = --rpc && test \"$4\" = "+salt.Hex()+" && cat <<EOF\n"+printed+"\nEOF\n")
	c.Salt = &salt
	d, err := worlddeploy.Run(t.Context(), c)
	require.NoError(t, err)
	require.EqualValues(t, 7, d.WorldBlock)
	require.Equal(t, "ns:raid:<root>", d.NamespaceID.String())
	loot, err := d.Tables["Loot"].Schema()
	require.NoError(t, err)
	require.Equal(t, "raid__Loot", loot.ID.Label())
	require.Equal(t, "(address,uint32)", loot.Key.String())
}

func TestC3_DeployReportsWhatWentWrong(t *testing.T) {
	for name, test := range map[string]struct{ body, want string }{
		"the script fails":        {"echo 'no node answers' >&2; exit 2", "no node answers"},
		"packages are missing":    {"echo ERR_MODULE_NOT_FOUND >&2; exit 1", "make deps"},
		"something else printed":  {"echo hello", "reading what"},
		"no World printed":        {"echo '{}'", "no World"},
		"a resource id is broken": {`echo '{"namespaceId":"0x6e730061000000000000000000000000000000000000000000000000000000ff"}'`, "not a MUD resource id"},
		"it prints without end":   {"yes | head -c 3000000", "reading what"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := worlddeploy.Run(t.Context(), script(t, test.body))
			require.ErrorIs(t, err, worlddeploy.ErrDeploy)
			require.ErrorContains(t, err, test.want)
		})
	}
	t.Run("node is missing", func(t *testing.T) {
		c := script(t, "")
		c.Node = "no-such-node-binary"
		_, err := worlddeploy.Run(t.Context(), c)
		require.ErrorContains(t, err, "install Node.js")
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := worlddeploy.Run(ctx, script(t, "cat"))
		require.ErrorIs(t, err, context.Canceled)
	})
}
