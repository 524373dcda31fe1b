/** Tests that a model holds for the library, and that it does not for mutants of it. */
import assert from "node:assert/strict";
import test from "node:test";
import { ONLY_LONG } from "../../support/long.js";
import type { Exploration } from "./explore.js";
import { type Change, type Library, load } from "./library.js";

/** Explores with a library. */
export type Model = (library: Library) => Exploration;

const library = await load();

/** Tests that `model` holds, and prints how many states it has. */
export function holds(name: string, model: Model): void {
  test(name, () => {
    const { states, ends } = model(library);
    console.log(`${name}: ${states} states, ${ends} ends`);
    assert.ok(ends > 0, "no execution comes to its end");
  });
}

/**
 * Tests, in the long run, that `model` fails for a mutant of the library.
 *
 * @param what the step that is weakened
 * @param because what the failure's message says
 */
export function catches(what: string, model: Model, because: RegExp, ...changes: readonly Change[]): void {
  test(`a mutant is caught: ${what}`, ONLY_LONG, async () => {
    const mutant = await load(...changes);
    assert.throws(() => model(mutant), because);
  });
}

/** Asserts that `actual` has the same numbers as `expected`, in any order. */
export function sameNumbers(actual: readonly number[], expected: readonly number[], what: string): void {
  const sorted = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b).join();
  assert.ok(sorted(actual) === sorted(expected), `${what}: ${sorted(actual)} instead of ${sorted(expected)}`);
}
