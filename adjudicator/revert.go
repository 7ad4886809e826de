package adjudicator

import (
	"bytes"
	"fmt"
	"sort"
	"strings"

	"github.com/ethereum/go-ethereum/accounts/abi"

	"github.com/evmts/channels/adjudicator/bindings"
)

// Refusal is a custom error of the contracts.
type Refusal struct {
	Name   string // as in Solidity
	Args   []any  // as go-ethereum's abi package decodes them
	Advice string // what it means and what to do
}

func (r Refusal) Error() string {
	args := make([]string, len(r.Args))
	for i, a := range r.Args {
		args[i] = fmt.Sprint(a)
	}
	return fmt.Sprintf("%s(%s): %s", r.Name, strings.Join(args, ", "), r.Advice)
}

// advice has a text for every custom error of the contracts, by name; by signature where two contracts mean different things.
var advice = map[string]string{
	"WrongDomain":                  "the channel's params name another chain or another adjudicator: check chain id and adjudicator in the configuration",
	"BadParticipantCount":          "a channel has 2 to 16 participants",
	"BadSigner":                    "a participant's or guarantor's key is zero or used twice",
	"ZeroPayee":                    "an owner or beneficiary is the zero address",
	"TooManyBeneficiaries":         "a channel has at most 8 beneficiaries",
	"TooManyGuarantors":            "a channel has at most 4 guarantors",
	"BadWindow":                    "the challenge window is shorter than this adjudicator's minimum or longer than 30 days",
	"BadForceQuota":                "the force quota must be 1 to 256",
	"BadSequencer":                 "the sequencer is not one of the participants",
	"WrongFunding":                 "the funding given is not the one that the params commit to",
	"BadFunding":                   "the funding has more than 8 assets, an asset twice, a wrong number of amounts, or a pot above 256 bits",
	"VirtualChannel":               "a virtual channel is not funded or concluded this way",
	"BadIndex":                     "there is no such participant, beneficiary or asset",
	"NotOwner":                     "only the owner of the participant can pay its entry: send from the owner's wallet",
	"NothingDue":                   "the entry is zero, nothing has to be deposited",
	"AlreadyDeposited":             "the entry was paid before, nothing more has to be done",
	"WrongAmount":                  "another amount than the entry arrived: send exactly the entry, and do not use tokens that take a fee",
	"FundingClosed":                "the funding deadline has passed: ask for a refund and open a new channel",
	"FundingDeadlineTooFar":        "the funding deadline is more than 7 days ahead",
	"FundingOpen":                  "the funding deadline has not passed yet: wait for it before asking for a refund",
	"FullyFunded":                  "the channel is fully funded: it ends by concluding, not by a refund",
	"NothingToRefund":              "the channel has no deposits to give back",
	"NotFunded":                    "not every entry has arrived: wait until the channel is funded",
	"WrongStatus":                  "the channel is in another phase, or it has ended already: read its status",
	"WrongChannel":                 "the update belongs to another channel",
	"WrongSignatureCount":          "the number of signatures is not the number of signers",
	"BadSignature":                 "the signature at this index is malformed or by another key",
	"BadHeader":                    "the state's header is malformed",
	"BadFunds":                     "the state's funds have another length than the channel's",
	"WrongState":                   "the state is not the one that was signed or fixed on chain",
	"BadTopUps":                    "the state counts top-ups that the chain does not know",
	"NotTerminal":                  "the state is not terminal: everyone has to sign a Close",
	"WrongSum":                     "the state's funds in the asset at this index do not sum to the pot",
	"GuaranteeLives":               "the ledger channel still guarantees a virtual one: end that first",
	"InsufficientGas":              "too little gas to pay everyone: send the transaction again with more gas",
	"NothingToWithdraw":            "the sender has no credit in this asset",
	"TransferFailed":               "the transfer of the credit failed: withdraw to another address",
	"BadNamespace":                 "not a namespace, or one that is never allowed (root, store, world)",
	"NotNamespaceOwner":            "only this owner of the namespace can set its policy: send from its wallet",
	"NoModule":                     "a policy is for a module, ledger channels have none",
	"BadAttestors":                 "attestors are for the attested mode: 1 to 16 keys in ascending order, and the threshold at most their number",
	"BadPermission":                "the permission at this index is malformed, outside of the namespace, or twice in the list",
	"AlreadySettled":               "the effects of this channel were written before, nothing more has to be done",
	"NotFinal":                     "the channel is not concluded on chain yet: conclude first",
	"WrongGenesis":                 "the genesis input is not the channel's, or names another settlement contract",
	"NotAllowed":                   "no policy of the namespace allows this module and configuration in this mode: its owner has to set one; one of a former owner does not count",
	"FundingTooSmall":              "the pot is smaller than the policy's minimum",
	"WrongJoinCount":               "there must be one consent entry per participant",
	"NoConsent":                    "the owner of the participant at this index neither deposited nor signed a Join",
	"BadPolicy":                    "the policy's modes, window, bond, guardian, byte limit or ticket do not fit together: each belongs to a mode, and set or delete need tickets",
	"WrongTicket":                  "the policy wants a ticket, or this one is not sealed, or is for another World, module, configuration or other owners",
	"TicketUsed":                   "this ticket has settled another channel: every channel needs its own",
	"WrongSnapshot":                "the records are not those of the ticket's snapshot: take them from the log of its Entered event",
	"Void":                         "a leaf of the journal is proven wrong, or the guardian vetoed: nothing of this channel is ever settled",
	"NotProven":                    "the journal is not shown to be right yet: run every leaf, or publish it and wait for the end of the window",
	"NoEffects":                    "effects(state) failed with this status: the channel has no effects",
	"Changed":                      "the record of the effect at this index is not in the snapshot, or is not any more what it was",
	"BadChunkSize":                 "a piece of a program has 1 to 24,575 bytes",
	"NotAChunk":                    "this address was not made by the registry's store: store the piece first",
	"BadChunks":                    "a program has 1 to 16 chunks, all but the last full",
	"UnknownProgram":               "the program is not registered: register it first",
	"UnknownModule":                "the module is not registered: register its program and manifest first",
	"TooExpensive":                 "a call of the module may need more gas than one transaction can prove: lower its fuel or page limit",
	"BadManifest":                  "the manifest has no fuel, more than 16 pages, or flags without a meaning",
	"BadState":                     "the state does not have the shape of the channel's states",
	"MachineOutOfGas":              "the machine ran out of gas: send more gas",
	"WrongPrice":                   "exactly this price has to be sent for the ticket",
	"BadOwners":                    "a channel has 2 to 16 owners, none zero",
	"BadKeys":                      "the record key at this index is no on-chain table of the namespace, or named twice, or the records are too many (32, 8 KiB)",
	"NotOpen":                      "there is no such ticket, or it is sealed already",
	"TooEarly":                     "the block of the seed has no hash yet: wait until this block has passed",
	"TooLate()":                    "the first chunk was published more than a day ago: publish again from the first",
	"TooLate":                      "the block of the seed is too old, the ticket is void: enter again",
	"WithdrawFailed":               "the transfer failed: withdraw to another address",
	"AlreadyPublished":             "the whole journal was published before, nothing more has to be done",
	"AlreadyVoid":                  "a leaf of this journal was proven wrong before, nothing more has to be done",
	"WrongProgress":                "the chunk does not go on where this publisher, or the execution, is: read the progress and continue there",
	"BadEntry":                     "the entry at this seq is malformed or over a limit, or there are more entries than the update has",
	"TooManyBytes":                 "the journal has more bytes than the policy allows",
	"WrongJournal":                 "the leaves do not give the journal that was signed",
	"WrongBond":                    "exactly this bond has to be sent with the last chunk, and nothing before",
	"BadWitness":                   "the witness is not what the signed journal commits to",
	"LeafIsRight":                  "the leaf is right: there is nothing to disprove",
	"NotGuardian":                  "only the policy's guardian can veto",
	"WindowClosed":                 "the window is over",
	"WindowOpen":                   "the window is still open: wait for its end",
	"NotEnoughAttestors":           "fewer attestors signed than the policy demands, or they are not in ascending order",
	"BadAttestorSignature":         "the signature of the attestor at this index is malformed or by another key: the policy may name another attestor by now",
	"TooManyEffects":               "more effects than a channel may have (32, 8 KiB)",
	"EffectNotAllowed":             "the effect at this index is not permitted by the policy, or exceeds its limits",
	"BadEffect":                    "the effect at this index is malformed",
	"BadLayout":                    "the effect at this index does not fit the table in the World",
	"OutOfRange":                   "the effect at this index would take a field out of its type's range",
	"ReentrancyGuardReentrantCall": "a payee called back during its payment, which is not allowed",
	"SafeERC20FailedOperation":     "the token refused: check balance and approval",
	"FailedCall":                   "a call to another contract failed",
	"InsufficientBalance":          "the contract's balance is too small",
}

var customErrors = parseErrors()

func parseErrors() map[[4]byte]abi.Error {
	out := map[[4]byte]abi.Error{}
	for _, meta := range allABIs() {
		parsed, err := abi.JSON(strings.NewReader(meta))
		if err != nil {
			panic(err) // the generated bindings are broken
		}
		for _, e := range parsed.Errors {
			out[[4]byte(e.ID[:4])] = e
		}
	}
	return out
}

func allABIs() []string {
	return []string{
		bindings.AdjudicatorMetaData.ABI, bindings.ModuleRegistryMetaData.ABI, bindings.DerivationMetaData.ABI, bindings.PoliciesMetaData.ABI,
		bindings.TicketsMetaData.ABI, bindings.PublicationsMetaData.ABI, bindings.MudSettlementMetaData.ABI,
	}
}

// ErrorNames are the names of all custom errors, sorted.
func ErrorNames() []string {
	names := make([]string, 0, len(customErrors))
	for _, e := range customErrors {
		names = append(names, e.Name)
	}
	sort.Strings(names)
	return names
}

// ParseRevert reads what a contract of ours returned when it refused; ok is false for anything else.
func ParseRevert(data []byte) (r Refusal, ok bool) {
	if len(data) < 4 {
		return r, false
	}
	e, known := customErrors[[4]byte(data[:4])]
	if !known {
		return r, false
	}
	args, err := e.Inputs.Unpack(data[4:])
	if err != nil {
		return r, false
	}
	if again, err := e.Inputs.Pack(args...); err != nil || !bytes.Equal(again, data[4:]) {
		return r, false
	}
	text, own := advice[e.Sig]
	if !own {
		text = advice[e.Name]
	}
	return Refusal{Name: e.Name, Args: args, Advice: text}, true
}

// DecodeRevert is ParseRevert as text.
func DecodeRevert(data []byte) (reason string, ok bool) {
	r, ok := ParseRevert(data)
	if !ok {
		return "", false
	}
	return r.Error(), true
}
