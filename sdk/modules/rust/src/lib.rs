//! The SDK for modules of channels. What each part does is said once for all languages in sdk/modules/README.md.
//!
//! `module!(init, reduce, effects)` exports what the host calls. Whatever is wrong refuses the event with [`reject`]; a
//! panic is a trap, which refuses it too, without a reason for players.
#![no_std]

mod abi;
mod dice;
mod effects;
mod event;
pub mod fixed;
mod funds;
mod genesis;
mod host;
mod msgpack;

pub use abi::AbiReader;
pub use dice::{precedes, shuffle, Dice, Pool, Random};
pub use effects::{key_address, key_uint, system_id, table_id, Effects, Word};
pub use event::{Event, Kind, Output, State};
pub use funds::{half, move_all, move_amount, split, Cell, Funds};
pub use genesis::Genesis;
pub use host::{allocate, emit, keccak256, log, reject, same, Answer};
pub use msgpack::MsgPackReader;

#[doc(hidden)]
pub use host::input;

/// Exports the module: `fn init(Genesis) -> Answer`, `fn reduce(State, Event) -> Answer`, `fn effects(&'static [u8]) -> Answer`.
#[macro_export]
macro_rules! module {
    ($init:path, $reduce:path, $effects:path) => {
        // In a scope of its own, so that no name meets the module's.
        const _: () = {
            #[export_name = "allocate"]
            pub extern "C" fn module_allocate(len: u32) -> *mut u8 {
                $crate::allocate(len).as_mut_ptr()
            }

            #[export_name = "init"]
            pub extern "C" fn module_init(ptr: *const u8, len: u32) -> u64 {
                $init($crate::Genesis::read(unsafe { $crate::input(ptr, len) })).into()
            }

            #[export_name = "reduce"]
            pub extern "C" fn module_reduce(state: *const u8, state_len: u32, event: *const u8, event_len: u32) -> u64 {
                let event = $crate::Event::read(unsafe { $crate::input(event, event_len) });
                $reduce($crate::State::read(unsafe { $crate::input(state, state_len) }, &event), event).into()
            }

            #[export_name = "effects"]
            pub extern "C" fn module_effects(state: *const u8, state_len: u32) -> u64 {
                $effects(unsafe { $crate::input(state, state_len) }).into()
            }
        };
    };
}

#[cfg(target_arch = "wasm32")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    core::arch::wasm32::unreachable()
}
