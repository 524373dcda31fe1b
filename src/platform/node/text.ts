/** Text in shared memory, as bytes of Latin-1 or, where that is not enough, as UTF-16 code units. */
import { Buffer } from "node:buffer";

/** Writes text, each of whose characters is `narrow` (one byte) or not, into bytes that are as many as it takes. */
export function writeText(bytes: Uint8Array, text: string, narrow: boolean): void {
  bufferOn(bytes).write(text, narrow ? "latin1" : "utf16le");
}

/** Reads it back. */
export function readText(bytes: Uint8Array, narrow: boolean): string {
  return bufferOn(bytes).toString(narrow ? "latin1" : "utf16le");
}

function bufferOn(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Whether bytes are the same. */
export function sameBytes(some: Uint8Array, others: Uint8Array): boolean {
  return Buffer.compare(some, others) === 0;
}
