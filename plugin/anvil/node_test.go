package anvil

import (
	"bytes"
	"context"
	"math/big"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/stretchr/testify/require"
)

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

func TestNodeAnswersAndEnds(t *testing.T) {
	ctx := context.Background()
	var out bytes.Buffer
	n, err := Start(ctx, Options{ChainID: 4242, SlotsInEpoch: 1, Output: &out})
	require.NoError(t, err)
	eth := ethclient.NewClient(n.Client())
	id, err := eth.ChainID(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 4242, id.Uint64())

	keys := Keys()
	to := common.HexToAddress("0x1234")
	receipt, err := n.Send(ctx, keys[1], &to, big.NewInt(7), nil)
	require.NoError(t, err)
	require.EqualValues(t, 1, receipt.Status)
	balance, err := eth.BalanceAt(ctx, to, nil)
	require.NoError(t, err)
	require.EqualValues(t, 7, balance.Uint64())
	for i, k := range keys {
		b, err := eth.BalanceAt(ctx, crypto.PubkeyToAddress(k.PublicKey), nil)
		require.NoError(t, err)
		require.NotZero(t, b.Sign(), "key %d is not funded", i)
	}

	pid := n.PID()
	require.True(t, alive(pid))
	require.NoError(t, n.Close())
	require.NoError(t, n.Close())
	require.False(t, alive(pid))
	require.Contains(t, out.String(), "Listening on")
}

func TestNodeEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	n, err := Start(ctx, Options{})
	require.NoError(t, err)
	cancel()
	select {
	case <-n.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("anvil outlives its context")
	}
	require.NoError(t, n.Close())
}

func TestStartRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		o    Options
		want string
	}{
		"block time":    {Options{BlockTime: 1500 * time.Millisecond}, "whole seconds"},
		"accounts":      {Options{Accounts: 11}, "SetBalance"},
		"network":       {Options{Network: "mars"}, "unknown network"},
		"unknown flag":  {Options{ExtraArgs: []string{"--no-such-flag"}}, "no-such-flag"},
		"no such file":  {Options{Binary: "/nonexistent/anvil"}, "/nonexistent/anvil"},
		"port in range": {Options{Port: 99999999}, "99999999"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Start(context.Background(), c.o)
			require.ErrorIs(t, err, ErrStart)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestFindSaysWhatToDo(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("PATH", "")
	_, err := Find()
	require.ErrorIs(t, err, ErrNotInstalled)
	require.ErrorContains(t, err, "make deps")

	t.Setenv(BinaryEnv, filepath.Join(t.TempDir(), "none"))
	_, err = Find()
	require.ErrorIs(t, err, ErrNotInstalled)
}
