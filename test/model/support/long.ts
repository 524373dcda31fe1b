/** Models with many states, which are explored in the long run only (see test/support/long.ts). */
import test from "node:test";
import { LONG, ONLY_LONG } from "../../support/long.js";
import { holds, type Model } from "./check.js";

/** As `holds`, in the long run. */
export function holdsInLong(name: string, model: Model): void {
  if (LONG) holds(name, model);
  else test(name, ONLY_LONG);
}
