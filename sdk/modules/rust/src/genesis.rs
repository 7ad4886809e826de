//! What init gets: abi.encode(Params, Funding[], bytes genesisInput) (docs/encoding.md 14, 21, 25).

use crate::abi::{AbiReader, SHORT};
use crate::event::Output;
use crate::funds::word64;
use crate::host::{keccak256, reject, same};

// Words of abi.encode(Params) (docs/protocol.md 1).
const PARTICIPANTS: u32 = 2;
const BENEFICIARIES: u32 = 3;
const SEQUENCER: u32 = 8;

/// Bytes before the configuration (docs/encoding.md 25).
const PREFIX: usize = 160;

pub struct Genesis {
    pub seats: u32,
    pub beneficiaries: u32,
    pub assets: u32,
    /// seats + beneficiaries: the columns of the funds.
    pub columns: u32,
    /// The seat that orders events.
    pub sequencer: u32,
    /// The configuration, whose hash is checked: usually MessagePack.
    pub config: &'static [u8],
    /// The 14 bytes of the World's namespace that effects are written to, if there is a World.
    pub namespace: Option<&'static [u8]>,
    participants: AbiReader,
    funding: AbiReader,
}

impl Genesis {
    pub fn read(input: &'static [u8]) -> Self {
        let input = AbiReader::new(input);
        let params = input.tail(0);
        let participants = params.tail(PARTICIPANTS);
        let seats = participants.uint(0);
        if !(2..=16).contains(&seats) {
            reject("a channel has 2 to 16 participants")
        }
        participants.word(2 * seats); // all of them are there
        let sequencer = params.uint(SEQUENCER);
        if sequencer >= seats {
            reject("the sequencer is no participant")
        }
        let beneficiaries = params.tail(BENEFICIARIES).uint(0);
        if beneficiaries > 8 {
            reject("too many elements")
        }
        let funding = input.tail(1);
        let assets = funding.uint(0);
        if assets > 8 {
            reject("too many elements")
        }
        let text = input.tail(2).bytes();
        if text.len() < PREFIX {
            reject(SHORT)
        }
        let (prefix, config) = text.split_at(PREFIX);
        let want = prefix[96..128].try_into().unwrap_or_else(|_| reject(SHORT));
        if !same(&keccak256(config), want) {
            reject("configHash does not fit the configuration")
        }
        let (world, id) = (&prefix[32..64], &prefix[64..96]);
        let mut namespace = None;
        if (word64(world, 0) | word64(world, 8) | word64(world, 16) | word64(world, 24)) != 0 {
            if id[0] != b'n' || id[1] != b's' || (word64(id, 16) | word64(id, 24)) != 0 {
                reject("namespaceId is \"ns\" and 14 bytes of namespace")
            }
            namespace = Some(&id[2..16]);
        }
        let funding = funding.skip(1);
        Genesis { seats, beneficiaries, assets, columns: seats + beneficiaries, sequencer, config, namespace, participants, funding }
    }

    /// The 20 bytes of a participant's owner: the wallet that pays, is paid, and plays in the World.
    pub fn owner(&self, seat: u32) -> &'static [u8] {
        if seat >= self.seats {
            reject("no such participant")
        }
        &self.participants.word(2 + 2 * seat)[12..]
    }

    /// An output in which everybody has what it paid, with an app of `length` zero bytes.
    pub fn output(&self, length: u32) -> Output {
        let mut out = Output::new(self.assets, self.columns, length);
        for asset in 0..self.assets {
            let amounts = self.funding.tail(asset).tail(1);
            if amounts.uint(0) != self.seats {
                reject("funding lacks an amount")
            }
            out.funds.words(asset, 0, self.seats).copy_from_slice(amounts.slice(1, self.seats));
        }
        out
    }
}
