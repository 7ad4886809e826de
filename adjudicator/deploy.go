package adjudicator

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/evmts/channels/adjudicator/bindings"
	"github.com/evmts/channels/derivation/evm"
)

// Deployer is the deterministic deployment proxy, at the same address on every chain
// (github.com/Arachnid/deterministic-deployment-proxy). It takes salt ‖ initcode.
var Deployer = common.HexToAddress("0x4e59b44847b379578588920cA78FbF26c0B4956C")

// deployerTx creates the Deployer. It is signed for no chain in particular by an account whose key nobody has.
var deployerTx = common.FromHex("0xf8a58085174876e800830186a08080b853604580600e600039806000f350fe7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234f58015156039578182fd5b8082525050506014600cf31ba02222222222222222222222222222222222222222222222222222222222222222a02222222222222222222222222222222222222222222222222222222222222222")

// Errors of Deploy.
var (
	// ErrNoDeployer means that the chain has no deterministic deployer and does not take the transaction that creates it.
	ErrNoDeployer = errors.New("the chain has no deterministic deployer at 0x4e59b44847b379578588920cA78FbF26c0B4956C and refuses the transaction that creates it: ask the chain's operator to predeploy it")
	// ErrDeploy means that a contract is not what it should be after its deployment.
	ErrDeploy = errors.New("deployment failed")
)

// initCode is creation code ‖ arguments.
func initCode(bin string, arguments []byte) []byte { return append(common.FromHex(bin), arguments...) }

// AdjudicatorInitCode is creation code ‖ arguments of Adjudicator(minWindow), minWindow in seconds.
func AdjudicatorInitCode(minWindow uint32) []byte {
	return initCode(bindings.AdjudicatorMetaData.Bin, adjudicatorABI.PackConstructor(minWindow))
}

// machineInitCode is the generated code of the machine, which has no arguments.
var machineInitCode = sync.OnceValue(func() []byte {
	p, err := evm.Machine()
	if err != nil {
		panic(err) // the generator has no input but constants, and its test runs it
	}
	return evm.InitCode(p.Code)
})

// Create2Address is where the Deployer puts a contract.
func Create2Address(salt common.Hash, initCode []byte) common.Address {
	return crypto.CreateAddress2(Deployer, salt, crypto.Keccak256(initCode))
}

// deployment is one contract to deploy.
type deployment struct {
	name string
	at   common.Address
	code []byte
}

// plan lists the contracts in an order in which each finds those that it names.
func plan(minWindow uint32, salt common.Hash) (c Contracts, steps []deployment) {
	add := func(name string, code []byte) common.Address {
		at := Create2Address(salt, code)
		steps = append(steps, deployment{name, at, code})
		return at
	}
	c.Adjudicator = add("Adjudicator", AdjudicatorInitCode(minWindow))
	c.Machine = add("WasmMachine", machineInitCode())
	c.Registry = add("ModuleRegistry", initCode(bindings.ModuleRegistryMetaData.Bin, nil))
	c.Derivation = add("Derivation", initCode(bindings.DerivationMetaData.Bin, derivationABI.PackConstructor(c.Machine, c.Registry)))
	c.Policies = add("Policies", initCode(bindings.PoliciesMetaData.Bin, policiesABI.PackConstructor(minWindow)))
	c.Tickets = add("Tickets", initCode(bindings.TicketsMetaData.Bin, ticketsABI.PackConstructor(c.Policies)))
	c.Publications = add("Publications", initCode(bindings.PublicationsMetaData.Bin, publicationsABI.PackConstructor(c.Adjudicator, c.Derivation, c.Policies)))
	c.Settlement = add("MudSettlement", initCode(bindings.MudSettlementMetaData.Bin, settlementABI.PackConstructor(c.Adjudicator, c.Derivation, c.Policies, c.Publications, c.Tickets)))
	return c, steps
}

// Predict is where the contracts are, or will be, on every chain. minWindow, in seconds, is the shortest window of channels and of
// publications.
func Predict(minWindow uint32, salt common.Hash) Contracts {
	c, _ := plan(minWindow, salt)
	return c
}

// DeployCall has the Deployer create a contract.
func DeployCall(salt common.Hash, initCode []byte) Call {
	return Call{To: Deployer, Value: new(big.Int), Data: append(salt.Bytes(), initCode...)}
}

// DeployBackend is the part of an Ethereum client that Deploy needs; *ethclient.Client is one.
type DeployBackend interface {
	Backend
	CodeAt(ctx context.Context, account common.Address, blockNumber *big.Int) ([]byte, error)
	BalanceAt(ctx context.Context, account common.Address, blockNumber *big.Int) (*big.Int, error)
	SendTransaction(ctx context.Context, tx *types.Transaction) error
}

// Sender sends a call and waits for its receipt.
type Sender func(ctx context.Context, call Call) (*types.Receipt, error)

// Deploy puts the contracts where Predict says. What is there already stays, so it may be repeated and may run at
// several places at once. receipts are those of the transactions that were needed.
func Deploy(ctx context.Context, backend DeployBackend, send Sender, minWindow uint32, salt common.Hash) (_ Contracts, receipts []*types.Receipt, err error) {
	c, steps := plan(minWindow, salt)
	run := func(call Call) error {
		receipt, err := send(ctx, call)
		if err != nil {
			return err
		}
		receipts = append(receipts, receipt)
		if receipt.Status != types.ReceiptStatusSuccessful {
			return fmt.Errorf("%w: transaction %s failed", ErrDeploy, receipt.TxHash)
		}
		return nil
	}
	if err := deployDeployer(ctx, backend, run); err != nil {
		return c, receipts, err
	}
	for _, step := range steps {
		there, err := hasCode(ctx, backend, step.at)
		if err != nil {
			return c, receipts, err
		}
		if there {
			continue
		}
		sendErr := run(DeployCall(salt, step.code))
		if there, err = hasCode(ctx, backend, step.at); err != nil {
			return c, receipts, err
		}
		if !there { // with code there, somebody else was quicker and ours had to fail
			return c, receipts, fmt.Errorf("%w: no %s at %s: %w", ErrDeploy, step.name, step.at, errors.Join(sendErr, errNoCode))
		}
	}
	return c, receipts, check(ctx, NewReader(backend, c), minWindow)
}

var errNoCode = errors.New("there is no code after the deployment")

// check asks the contracts for what they know of each other.
func check(ctx context.Context, r Reader, minWindow uint32) error {
	window, err := r.MinWindow(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDeploy, err)
	}
	found, err := Discover(ctx, r.backend, r.Settlement)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDeploy, err)
	}
	if window != minWindow || found != r.Contracts {
		return fmt.Errorf("%w: minWindow is %d, the settlement works with %+v", ErrDeploy, window, found)
	}
	return nil
}

func hasCode(ctx context.Context, backend DeployBackend, at common.Address) (bool, error) {
	code, err := backend.CodeAt(ctx, at, nil)
	if err != nil {
		return false, fmt.Errorf("code of %s: %w", at, err)
	}
	return len(code) > 0, nil
}

const (
	deployerWait = 30 * time.Second
	deployerPoll = 100 * time.Millisecond
)

// deployDeployer creates the Deployer where it is missing: its account gets the fee, then the presigned transaction goes out.
func deployDeployer(ctx context.Context, backend DeployBackend, run func(Call) error) error {
	there, err := hasCode(ctx, backend, Deployer)
	if err != nil || there {
		return err
	}
	tx := new(types.Transaction)
	if err := tx.UnmarshalBinary(deployerTx); err != nil {
		return fmt.Errorf("deterministic deployer: %w", err)
	}
	from, err := types.Sender(types.HomesteadSigner{}, tx)
	if err != nil {
		return fmt.Errorf("deterministic deployer: %w", err)
	}
	balance, err := backend.BalanceAt(ctx, from, nil)
	if err != nil {
		return fmt.Errorf("balance of %s: %w", from, err)
	}
	if missing := new(big.Int).Sub(tx.Cost(), balance); missing.Sign() > 0 {
		if err := run(Call{To: from, Value: missing}); err != nil {
			return fmt.Errorf("pay for the deterministic deployer: %w", err)
		}
	}
	if err := backend.SendTransaction(ctx, tx); err != nil {
		return fmt.Errorf("%w: %w", ErrNoDeployer, err)
	}
	ctx, cancel := context.WithTimeout(ctx, deployerWait)
	defer cancel()
	tick := time.NewTicker(deployerPoll)
	defer tick.Stop()
	for {
		if there, err := hasCode(ctx, backend, Deployer); err == nil && there {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrNoDeployer, ctx.Err())
		case <-tick.C:
		}
	}
}
