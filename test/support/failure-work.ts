import { group, run } from "heddle/job";

/** Job functions that fail. */
export function failFirst(): never {
  throw Object.assign(new RangeError("the first failure"), { code: "E_FIRST", detail: { n: 1 } });
}
export function nothing(): void {}
/** Fails so many jobs deep. */
export function descend(depth: number): unknown {
  return depth === 0 ? failFirst() : run(descend, depth - 1).wait();
}
export function descendWrapping(depth: number): unknown {
  if (depth === 0) failFirst();
  try {
    return run(descendWrapping, depth - 1).wait();
  } catch (cause) {
    throw new Error(`on level ${depth}: ${(cause as Error).message}`, { cause });
  }
}
export async function descendLater(depth: number): Promise<unknown> {
  return depth === 0 ? failFirst() : await run(descendLater, depth - 1);
}
export function failHugely(characters: number): never {
  throw Object.assign(new Error(`begin ${"-".repeat(characters)} end`), { code: "E_HUGE" });
}
export function failWithDetail(bytes: number): never {
  throw Object.assign(new Error("with a large detail"), { large: new Uint8Array(bytes), small: { kept: true } });
}
export function failManyTimes(count: number): never {
  throw new AggregateError(Array.from({ length: count }, (_, k) => new Error(`error ${k}`), "many"));
}
/** Has a job fail, and handles that. @returns the failure's message */
export async function handleFailure(way: "await" | "all" | "allSettled" | "catch" | "group"): Promise<string> {
  try {
    if (way === "await") await run(failFirst);
    if (way === "all") await Promise.all([run(failFirst), run(failFirst)]);
    if (way === "catch") return await Promise.resolve(run(failFirst)).catch(({ message }: Error) => message);
    if (way === "allSettled") {
      const [settled] = await Promise.allSettled([run(failFirst)]);
      return String((settled as PromiseRejectedResult).reason);
    }
    const all = group();
    all.run(failFirst);
    await all;
    return "did not fail";
  } catch (error) {
    return (error as Error).message;
  }
}
export function failForgotten(): never {
  throw new Error("forgotten");
}
export function forgetFailure(times: number): void {
  for (let k = 0; k < times; k++) run(failForgotten);
}
