// The SDK for modules of channels. What each part does is said once for all languages in sdk/modules/README.md.

export { AbiReader, putWord } from "./abi";
export { Dice, Pool, Random, precedes, shuffle } from "./dice";
export { Effects, putAddress, putUint, systemId, tableId } from "./effects";
export { Event, Kind, Result, State } from "./event";
export { ONE, addFixed, divFixed, floorFixed, isqrt, mulDiv, mulFixed, subFixed, toFixed } from "./fixed";
export { CELL, Funds, half, move, moveAll, split, zeros } from "./funds";
export { Genesis } from "./genesis";
export { allocate, answer, emit, keccak256, log, reject, same, spells } from "./host";
export { MsgPackReader } from "./msgpack";
