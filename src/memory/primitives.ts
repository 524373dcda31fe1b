/** Where things lie in the shared buffers behind channels and wait groups, in 32-bit words. */
import { LINE } from "../sync/words.js";

/** What a buffer is for: "CHAN" or "WAIT", so that another buffer is not taken for one. */
export const KIND = 0;
export const KIND_CHANNEL = 0x4348414e;
export const KIND_WAIT_GROUP = 0x57414954;

/** A channel: how many messages it holds, their format, how many bytes one takes, and the type of records. */
export const C_CAPACITY = 1;
export const C_FORMAT = 2;
export const C_BYTES = 3;
export const C_TYPE = 4;
/** The gates where senders wait for room, and receivers for messages. */
export const C_ROOM = LINE;
export const C_MESSAGES = 2 * LINE;
export const C_QUEUE = 3 * LINE;

/** A message's cell: its turn, its length in bytes, and its data, which begin at a multiple of 8 bytes. */
export const M_LENGTH = 1;
export const M_DATA = 2;

/** How many words a cell takes whose data have up to `bytes` bytes: an even number, for the next one's data. */
export function cellWords(bytes: number): number {
  return M_DATA + 2 * Math.ceil(bytes / 8);
}

/** A wait group: its countdown. */
export const W_COUNTDOWN = LINE;
export const WAIT_GROUP_WORDS = 2 * LINE;
