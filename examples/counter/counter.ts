// The smallest useful module: it counts events. Funds stay where they are; the app is the count, 8 bytes little-endian.
// An event with the payload 0xc3 (MessagePack `true`) ends the channel. Used as a test module and to measure the system
// around a module, because the module itself takes next to no time.

// Memory is one page: static data, then what allocate gives out. Each call starts from a fresh snapshot, so nothing
// is ever freed. 64 KiB hold the largest state (23,136 bytes), the largest event (4,128) and the largest result.
let free: u32 = 64;


export function allocate(len: i32): i32 {
  const ptr = free;
  free = (ptr + <u32>len + 7) & ~7;
  if (free > <u32>memory.size() << 16 || free < ptr) unreachable();
  return ptr;
}

// A word of the ABI that must be small: offsets and lengths. Anything above 16 bits is nonsense here.
function small(ptr: u32): u32 {
  if (load<u64>(ptr) | load<u64>(ptr + 8) | load<u64>(ptr + 16) || load<u32>(ptr + 24) || load<u16>(ptr + 28)) unreachable();
  return bswap<u16>(load<u16>(ptr + 30));
}

function result(ptr: u32, len: u32): i64 {
  return (<i64>ptr << 32) | <i64>len;
}

// init gets abi.encode(Params, Funding[], bytes); the funds are what each participant paid, beneficiaries have nothing.
export function init(ptr: i32, len: i32): i64 {
  const params = ptr + small(ptr);
  const funding = ptr + small(ptr + 32);
  const participants = small(params + small(params + 64));
  const parties = participants + small(params + small(params + 96));
  const assets = small(funding);
  const size = 1 + assets * parties * 32 + 8;
  const out = allocate(size);
  let to = out + 1;
  for (let a: u32 = 0; a < assets; a++) {
    const entry = funding + 32 + small(funding + 32 + a * 32);
    const amounts = entry + small(entry + 32);
    memory.copy(to, amounts + 32, participants * 32);
    to += parties * 32;
  }
  return result(out, size);
}

// reduce gets header ‖ funds ‖ app and the event. The result is built over the end of the header: terminal ‖ funds ‖ app
// is the state itself from one byte before the funds.
export function reduce(state: i32, stateLen: i32, event: i32, eventLen: i32): i64 {
  const header = (<u32>load<u8>(event, 2) + 3) * 32;
  const app = state + stateLen - 8;
  const out = state + header - 1;
  const terminal = load<u8>(event) == 0 && eventLen == 33 && load<u8>(event, 32) == 0xc3;
  store<u8>(out, terminal);
  if (load<u8>(event) == 0) store<u64>(app, load<u64>(app) + 1);
  return result(out, stateLen - header + 1);
}

// effects gives an empty Effect[].
export function effects(state: i32, stateLen: i32): i64 {
  const out = allocate(64);
  store<u8>(out + 31, 32);
  return result(out, 64);
}
