/** Text in shared memory, which browsers' own encoders refuse: as bytes of Latin-1 or, where that is not enough, as UTF-16 code units. */

/** Characters to make a text of at once: each is an argument of a call. */
const AT_ONCE = 8192;

/** Writes text, each of whose characters is `narrow` (one byte) or not, into bytes that are as many as it takes. */
export function writeText(bytes: Uint8Array, text: string, narrow: boolean): void {
  if (narrow) {
    for (let k = 0; k < text.length; k++) bytes[k] = text.charCodeAt(k);
    return;
  }
  // Where the bytes begin need not be even.
  const units = new Uint16Array(text.length);
  for (let k = 0; k < text.length; k++) units[k] = text.charCodeAt(k);
  bytes.set(new Uint8Array(units.buffer));
}

/** Reads it back. */
export function readText(bytes: Uint8Array, narrow: boolean): string {
  const units = narrow ? bytes : new Uint16Array(bytes.slice().buffer);
  let text = "";
  for (let k = 0; k < units.length; k += AT_ONCE) {
    // Not `...`, which goes through the array one by one: that takes eight times as long.
    text += Reflect.apply(String.fromCharCode, undefined, units.subarray(k, k + AT_ONCE));
  }
  return text;
}

/** Whether bytes are the same. */
export function sameBytes(some: Uint8Array, others: Uint8Array): boolean {
  return some.length === others.length && some.every((byte, index) => byte === others[index]);
}
