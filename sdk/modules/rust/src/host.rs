//! What a module of a channel asks of its host, and how it answers.
//!
//! The host calls allocate(len), writes the input there, and calls init, reduce or effects; the answer is
//! ptr << 32 | len (docs/encoding.md 21-24). Every call starts from the same snapshot of the memory, so nothing is
//! ever freed.

use crate::funds::word64;

mod import {
    #[link(wasm_import_module = "channels")]
    extern "C" {
        pub fn keccak256(ptr: *const u8, len: u32, out: *mut u8);
        pub fn emit(ptr: *const u8, len: u32);
        pub fn log(ptr: *const u8, len: u32);
        pub fn reject(ptr: *const u8, len: u32);
    }
}

/// keccak256 of some bytes.
pub fn keccak256(text: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    unsafe { import::keccak256(text.as_ptr(), text.len() as u32, out.as_mut_ptr()) };
    out
}

/// Hands bytes to whoever watches the derivation. Never part of the state.
pub fn emit(notice: &[u8]) {
    unsafe { import::emit(notice.as_ptr(), notice.len() as u32) }
}

/// Writes a line for the module's developer. Never part of the state.
pub fn log(message: &str) {
    unsafe { import::log(message.as_ptr(), message.len() as u32) }
}

/// Refuses the event: the call ends here and the state stays as it was. At most 256 bytes; players read it.
#[cold]
#[inline(never)]
pub fn reject(reason: &str) -> ! {
    unsafe { import::reject(reason.as_ptr(), reason.len() as u32) };
    trap()
}

/// Where the next allocation goes; 0 before the first.
static mut FREE: usize = 0;

extern "C" {
    static __heap_base: u8; // from the linker: the first byte behind stack and data
}

/// Memory for `len` bytes, all zero, aligned to 8. The memory grows at need, up to the module's own maximum; beyond that
/// the call traps.
pub fn allocate(len: u32) -> &'static mut [u8] {
    unsafe {
        if FREE == 0 {
            FREE = (&__heap_base as *const u8 as usize + 7) & !7;
        }
        let at = FREE;
        let end = (at as u64 + len as u64 + 7) & !7;
        reserve(end);
        FREE = end as usize;
        core::slice::from_raw_parts_mut(at as *mut u8, len as usize)
    }
}

#[cfg(target_arch = "wasm32")]
fn reserve(end: u64) {
    let have = (core::arch::wasm32::memory_size::<0>() as u64) << 16;
    if end > have && core::arch::wasm32::memory_grow::<0>(((end - have + 0xffff) >> 16) as usize) == usize::MAX {
        trap()
    }
}

#[cfg(target_arch = "wasm32")]
fn trap() -> ! {
    core::arch::wasm32::unreachable()
}

#[cfg(not(target_arch = "wasm32"))]
fn reserve(_: u64) {
    trap()
}

#[cfg(not(target_arch = "wasm32"))]
fn trap() -> ! {
    panic!("modules run in WebAssembly only")
}

/// What the host wrote.
///
/// # Safety
/// The range is the host's: inside of the memory, and never written again.
#[doc(hidden)]
pub unsafe fn input(ptr: *const u8, len: u32) -> &'static [u8] {
    core::slice::from_raw_parts(ptr, len as usize)
}

/// The same 32 bytes; == would go byte by byte.
pub fn same(a: &[u8; 32], b: &[u8; 32]) -> bool {
    (0..32).step_by(8).all(|at| word64(a, at) == word64(b, at))
}

/// The answer of a call: bytes that stay where they are.
pub struct Answer(&'static [u8]);

impl From<&'static [u8]> for Answer {
    fn from(bytes: &'static [u8]) -> Self {
        Answer(bytes)
    }
}

impl From<Answer> for u64 {
    fn from(answer: Answer) -> u64 {
        (answer.0.as_ptr() as u64) << 32 | answer.0.len() as u64
    }
}
