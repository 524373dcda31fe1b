/** What jobs give: a number that depends on all they were given, or bytes that stand for one. */

export type Value = number | Uint8Array;

/** The number of a job that was given these. */
export function mixed(job: number, inputs: readonly number[]): number {
  return inputs.reduce((value, input) => (Math.imul(value, 31) + input) | 0, job + 1);
}

/** @param bytes how many bytes are to stand for the number; 0: itself */
export function valueFor(number: number, bytes: number): Value {
  if (bytes === 0) return number;
  const value = new Uint8Array(bytes).fill(number);
  new DataView(value.buffer).setInt32(0, number);
  return value;
}

/** @throws Error for bytes that do not stand for a number */
export function numberOf(value: Value): number {
  if (typeof value === "number") return value;
  const number = new DataView(value.buffer, value.byteOffset).getInt32(0);
  const byte = number & 255;
  if (!value.subarray(4).every((each) => each === byte))
    throw new Error(`${value.length} bytes are not as they were made`);
  return number;
}
