import { isInstance } from "../values/describe.js";
import { isJob } from "./job.js";
import { Primitive } from "./primitive.js";

/** What to call `value` in a message if it goes by reference, and so not inside other values; else undefined. */
export function handleName(value: unknown): string | undefined {
  if (isJob(value)) return "Job";
  return isInstance(value, Primitive) ? value[Symbol.toStringTag] : undefined;
}
