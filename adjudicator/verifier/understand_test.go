package verifier

import (
	"errors"
	"fmt"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/stretchr/testify/require"

	"github.com/evmts/channels/adjudicator"
	"github.com/evmts/channels/plugin"
)

// dataError is an error of a node with the data of a revert.
type dataError struct{ data any }

func (dataError) Error() string    { return "execution reverted" }
func (e dataError) ErrorData() any { return e.data }

// TestAttack15_RefusalsAreUnderstood: what the contract says decides what is done, whoever reports it; what is no word of the contract
// stays the error that it is.
func TestAttack15_RefusalsAreUnderstood(t *testing.T) {
	selector := func(sig string) []byte { return crypto.Keccak256([]byte(sig))[:4] }
	both := func(sig string) []error {
		return []error{
			fmt.Errorf("request: %w", &plugin.RevertError{Data: selector(sig)}),
			fmt.Errorf("simulate: %w", dataError{fmt.Sprintf("0x%x", selector(sig))}),
		}
	}
	for _, err := range both("AlreadyVoid()") {
		require.ErrorIs(t, understand(err), errVoid)
	}
	for _, err := range both("LeafIsRight()") {
		require.ErrorIs(t, understand(err), ErrDisagreement)
	}
	for _, err := range both("MachineOutOfGas()") {
		var refusal adjudicator.Refusal
		require.True(t, errors.As(understand(err), &refusal))
		require.Equal(t, "MachineOutOfGas", refusal.Name)
	}
	for _, err := range append(both("SomethingElse()"), dataError{nil}, dataError{"no hex"}, dataError{"0x"}, errors.New("timeout"), plugin.ErrQueueFull) {
		require.Equal(t, err, understand(err))
	}
}
