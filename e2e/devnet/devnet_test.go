package devnet

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/evmts/channels/sidecar/p2p"
	"github.com/stretchr/testify/require"
)

func TestFindRoot(t *testing.T) {
	root, err := FindRoot("")
	require.NoError(t, err)
	require.FileExists(t, filepath.Join(root, "e2e", "devnet", "devnet_test.go"))
	same, err := FindRoot(filepath.Join(root, "e2e", "devnet"))
	require.NoError(t, err)
	require.Equal(t, root, same)

	other := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(other, "go.mod"), []byte("module example.org/other\n"), 0o644))
	_, err = FindRoot(other)
	require.ErrorIs(t, err, ErrRoot)
}

func TestMissingPackagesAreNamedWithTheirCommand(t *testing.T) {
	err := CheckDeps(t.TempDir())
	require.ErrorIs(t, err, ErrDeps)
	require.ErrorContains(t, err, "make deps")
	_, err = Start(t.Context(), Options{Root: t.TempDir(), Dir: filepath.Join(t.TempDir(), "devnet")})
	require.ErrorIs(t, err, ErrDeps)
}

// A folder with somebody's files is not emptied, whatever is asked.
func TestOnlyADevnetsFolderIsEmptied(t *testing.T) {
	dir := t.TempDir()
	mine := filepath.Join(dir, "data", "photos")
	require.NoError(t, os.MkdirAll(mine, 0o755))
	_, err := prepareDir(dir)
	require.ErrorIs(t, err, ErrDir)
	require.DirExists(t, mine)

	fresh := filepath.Join(dir, "devnet")
	lock, err := prepareDir(fresh)
	require.NoError(t, err)
	left := filepath.Join(fresh, "data", "operator")
	require.NoError(t, os.MkdirAll(left, 0o755))
	_, err = prepareDir(fresh)
	require.ErrorIs(t, err, ErrInUse)
	require.DirExists(t, left, "a devnet that runs keeps its data")
	require.NoError(t, lock.Close())

	lock, err = prepareDir(fresh)
	require.NoError(t, err)
	require.NoDirExists(t, left, "the next one starts empty")
	require.NoError(t, lock.Close())
}

// The id in a sidecar's multiaddr is the one that its peers derive its session address from.
func TestPeerIDIsTheSessionKeys(t *testing.T) {
	key, err := crypto.GenerateKey()
	require.NoError(t, err)
	id, err := peerID(key)
	require.NoError(t, err)
	addr, err := p2p.AddressOf(id)
	require.NoError(t, err)
	require.Equal(t, crypto.PubkeyToAddress(key.PublicKey), addr)
}

func TestReadFileSaysHowToGetOne(t *testing.T) {
	_, err := ReadFile(t.TempDir())
	require.ErrorContains(t, err, "op-channels devnet")
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, FileName), []byte("{"), 0o644))
	_, err = ReadFile(dir)
	require.Error(t, err)
}
