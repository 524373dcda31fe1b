/** Strings in shared memory: one byte a character where that is enough, else UTF-16 code units. */
import { Buffer } from "node:buffer";
import type { Payloads } from "../memory/payloads.js";

/** Stores a string. @returns the payload's address, negative if it holds UTF-16; 0 when there is no room */
export function storeString(payloads: Payloads, text: string): number {
  const narrow = isLatin1(text);
  const block = payloads.allocate(narrow ? text.length : text.length * 2);
  if (block === 0) return 0;
  bufferOf(payloads, block).write(text, narrow ? "latin1" : "utf16le");
  return narrow ? block : -block;
}

/** Reads a string back; the payload stays. */
export function loadString(payloads: Payloads, block: number, narrow: boolean): string {
  return bufferOf(payloads, block).toString(narrow ? "latin1" : "utf16le");
}

function bufferOf(payloads: Payloads, block: number): Buffer {
  const bytes = payloads.bytes(block);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function isLatin1(text: string): boolean {
  for (let k = 0; k < text.length; k++) if (text.charCodeAt(k) > 255) return false;
  return true;
}
