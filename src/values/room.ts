/** What is thrown when shared memory cannot hold a value; the layer above tells the caller which job it was for. */
import { LARGEST_PAYLOAD } from "../memory/payloads.js";

/** Shared memory has no room for a value now. */
export class NoRoom extends Error {}

/** A value takes more bytes than any block has. */
export class TooLarge extends NoRoom {
  readonly bytes: number;
  constructor(bytes: number) {
    super();
    this.bytes = bytes;
  }
}

/** The error for a value of so many bytes that was not stored. */
export function noRoomFor(bytes: number): NoRoom {
  return bytes > LARGEST_PAYLOAD ? new TooLarge(bytes) : new NoRoom();
}
