/** The options of `npm run bench`. */
import { closeSync, openSync } from "node:fs";
import { parseArgs } from "node:util";
import { BENCHMARKS, type Benchmark } from "./benchmarks.js";

export interface Options {
  readonly threads: number;
  readonly benchmarks: readonly Benchmark[];
  /** Where everything measured goes. */
  readonly json: string | undefined;
}

/** Something is wrong with what the user gave. */
export class UsageError extends Error {}

export function readOptions(): Options {
  const { json, only, threads } = parsed();
  return { json: writable(json), benchmarks: chosen(only), threads: wholeThreads(threads) };
}

function parsed(): { json?: string; only?: string; threads?: string } {
  const text = { type: "string" } as const;
  try {
    return parseArgs({ options: { json: text, only: text, threads: text } }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function wholeThreads(text = "2"): number {
  const threads = Number(text);
  if (Number.isInteger(threads) && threads >= 1 && threads <= 256) return threads;
  throw new UsageError(`--threads must be a whole number from 1 to 256, not "${text}"`);
}

function chosen(only: string | undefined): readonly Benchmark[] {
  if (only === undefined) return BENCHMARKS;
  const found = BENCHMARKS.filter(({ letter, name }) => only === letter || only === name);
  if (found.length > 0) return found;
  const known = BENCHMARKS.map(({ letter, name, about }) => `\n  ${letter}  ${name}: ${about}`);
  throw new UsageError(`--only must be a letter or a name of these, not "${only}":${known.join("")}`);
}

/** Finds out before the long run rather than after it. */
function writable(json: string | undefined): string | undefined {
  if (json === undefined) return undefined;
  try {
    closeSync(openSync(json, "a"));
    return json;
  } catch (error) {
    throw new UsageError(`--json cannot be written: ${(error as Error).message}`);
  }
}
