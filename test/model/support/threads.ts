/** Exploring threads that have jobs: each has a context of its own on a small shared memory. */
import type { Layout } from "../../../dist/memory/layout.js";
import type { Context } from "../../../dist/scheduler/context.js";
import type { Words } from "../../../dist/sync/words.js";
import { type Exploration, explore, type Options, type Outcome, type Program } from "./explore.js";
import type { Library } from "./library.js";
import { contextOn, isSource, setUpJobs, wordsThatMayBeOld } from "./world.js";

/** What a thread prepares on its context; what it returns is then explored, as that of a `Program`. */
export type Thread = (context: Context, words: Words) => () => unknown;

/**
 * Explores every interleaving of `threads`, whose numbers are their places there.
 *
 * @param slots asked after the preparations for the slots of the jobs that several threads use
 * @param options beside, or in place of, those that all jobs need
 */
export function exploreThreads(
  library: Library,
  layout: Layout,
  threads: readonly Thread[],
  slots: () => readonly number[],
  check: (outcome: Outcome) => void,
  options: Options = {},
): Exploration {
  const programs = threads.map(
    (thread, me): Program =>
      (words) =>
        thread(contextOn(library, words, layout, me), words),
  );
  return explore(programs, check, {
    setUp: (words) => setUpJobs(library, words, layout),
    mayRace: isSource(library),
    mayBeOld: () => slots().flatMap((slot) => wordsThatMayBeOld(library, slot)),
    unused: [layout.events],
    ...options,
  });
}

/** Takes over what others have finished, and sleeps, until `done`: as an event loop does while promises are open. */
export function listenUntil({ eventCount, finish }: Library, context: Context, done: () => boolean): void {
  const { events, me } = context;
  const { LISTENING } = eventCount;
  while (!done()) {
    events.prepare(me, LISTENING);
    finish.drainFinished(context);
    if (done()) events.cancel(me, LISTENING);
    else events.commit(me, LISTENING);
    finish.drainFinished(context);
  }
}
