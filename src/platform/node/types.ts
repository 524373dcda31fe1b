/** What the language alone cannot tell of an object. */
import { types } from "node:util";

export { types };

/** Whether a port loses what an object holds, though a copy on the same thread has it: in Deno, keys of `node:crypto`. */
export function isLostByPorts(object: object): boolean {
  return process.versions.deno !== undefined && types.isKeyObject(object);
}
