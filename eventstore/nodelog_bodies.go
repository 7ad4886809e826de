package eventstore

import "github.com/ethereum/go-ethereum/common"

// Each body names its kind and its channel.

func (*ObjectiveCreated) Kind() EventKind          { return KindObjectiveCreated }
func (b *ObjectiveCreated) ChannelID() common.Hash { return common.Hash(b.Channel) }

func (*ObjectiveApproved) Kind() EventKind          { return KindObjectiveApproved }
func (b *ObjectiveApproved) ChannelID() common.Hash { return common.Hash(b.Channel) }

func (*ObjectiveRejected) Kind() EventKind          { return KindObjectiveRejected }
func (b *ObjectiveRejected) ChannelID() common.Hash { return common.Hash(b.Channel) }

func (*ObjectiveCranked) Kind() EventKind          { return KindObjectiveCranked }
func (b *ObjectiveCranked) ChannelID() common.Hash { return common.Hash(b.Channel) }

func (*ObjectiveCompleted) Kind() EventKind          { return KindObjectiveCompleted }
func (b *ObjectiveCompleted) ChannelID() common.Hash { return common.Hash(b.Channel) }

func (*ChannelCreated) Kind() EventKind          { return KindChannelCreated }
func (b *ChannelCreated) ChannelID() common.Hash { return common.Hash(b.Channel) }

func (*StateSigned) Kind() EventKind          { return KindStateSigned }
func (b *StateSigned) ChannelID() common.Hash { return common.Hash(b.Channel) }

func (*StateReceived) Kind() EventKind          { return KindStateReceived }
func (b *StateReceived) ChannelID() common.Hash { return common.Hash(b.Channel) }

func (*SupportedUpdated) Kind() EventKind          { return KindSupportedUpdated }
func (b *SupportedUpdated) ChannelID() common.Hash { return common.Hash(b.Channel) }

func (*ChannelFinalized) Kind() EventKind          { return KindChannelFinalized }
func (b *ChannelFinalized) ChannelID() common.Hash { return common.Hash(b.Channel) }

func (*DepositDetected) Kind() EventKind          { return KindDepositDetected }
func (b *DepositDetected) ChannelID() common.Hash { return common.Hash(b.Channel) }

func (*AllocationUpdated) Kind() EventKind          { return KindAllocationUpdated }
func (b *AllocationUpdated) ChannelID() common.Hash { return common.Hash(b.Channel) }

func (*ChallengeRegistered) Kind() EventKind          { return KindChallengeRegistered }
func (b *ChallengeRegistered) ChannelID() common.Hash { return common.Hash(b.Channel) }

func (*ChallengeCleared) Kind() EventKind          { return KindChallengeCleared }
func (b *ChallengeCleared) ChannelID() common.Hash { return common.Hash(b.Channel) }

func (*Concluded) Kind() EventKind          { return KindConcluded }
func (b *Concluded) ChannelID() common.Hash { return common.Hash(b.Channel) }

func (*WithdrawCompleted) Kind() EventKind          { return KindWithdrawCompleted }
func (b *WithdrawCompleted) ChannelID() common.Hash { return common.Hash(b.Channel) }

func (*MessageSent) Kind() EventKind          { return KindMessageSent }
func (b *MessageSent) ChannelID() common.Hash { return common.Hash(b.Channel) }

func (*MessageReceived) Kind() EventKind          { return KindMessageReceived }
func (b *MessageReceived) ChannelID() common.Hash { return common.Hash(b.Channel) }

func (*MessageAcked) Kind() EventKind          { return KindMessageAcked }
func (b *MessageAcked) ChannelID() common.Hash { return common.Hash(b.Channel) }

func (*MessageDropped) Kind() EventKind          { return KindMessageDropped }
func (b *MessageDropped) ChannelID() common.Hash { return common.Hash(b.Channel) }
