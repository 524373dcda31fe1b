/** Strings in shared memory: one byte a character where that is enough, else UTF-16 code units. */
import type { Payloads } from "../memory/payloads.js";
import { readText, writeText } from "../platform/host.js";

/** Stores a string. @returns the payload's address, negative if it holds UTF-16; 0 when there is no room */
export function storeString(payloads: Payloads, text: string): number {
  const narrow = isLatin1(text);
  const block = payloads.allocate(narrow ? text.length : text.length * 2);
  if (block === 0) return 0;
  writeText(payloads.bytes(block), text, narrow);
  return narrow ? block : -block;
}

/** Reads a string back; the payload stays. */
export function loadString(payloads: Payloads, block: number, narrow: boolean): string {
  return readText(payloads.bytes(block), narrow);
}

function isLatin1(text: string): boolean {
  for (let k = 0; k < text.length; k++) if (text.charCodeAt(k) > 255) return false;
  return true;
}
