import { Job } from "./job.js";
import { Primitive } from "./primitive.js";

/** What to call `value` in a message if it goes by reference, and so not inside other values; else undefined. */
export function handleName(value: unknown): string | undefined {
  if (value instanceof Job) return "Job";
  return value instanceof Primitive ? value[Symbol.toStringTag] : undefined;
}
