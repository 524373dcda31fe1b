/**
 * Continuations: an edge is met exactly once, by the finisher of the prerequisite or by the linker that came too
 * late; and a job becomes ready exactly once, by whoever meets the last of its edges.
 */
import assert from "node:assert/strict";
import type { Context } from "../../dist/scheduler/context.js";
import { catches, holds, sameNumbers } from "./support/check.js";
import type { Outcome } from "./support/explore.js";
import type { Library } from "./support/library.js";
import { exploreThreads, type Thread } from "./support/threads.js";
import { contextOn, linkJobs, newJob, queued, ranOn, smallLayout } from "./support/world.js";

const THREADS = 3;
const OWNER = 0;

/** The owner's part of a model: makes jobs, all in its preparation, and returns what it does beside the finishers. */
type Owner = (context: Context, jobs: Map<string, number>) => () => unknown;

/**
 * Explores an owner beside threads that each execute one of its jobs. Of the jobs, `expected` must have become
 * ready beside those that are executed, once each.
 *
 * @param alsoExecuted jobs that the owner executes itself, if they become ready on its thread
 */
function race(
  library: Library,
  owner: Owner,
  finishers: readonly string[],
  expected: readonly string[],
  alsoExecuted: readonly string[] = [],
  alsoCheck: (outcome: Outcome, jobs: ReadonlyMap<string, number>) => void = () => {},
) {
  const layout = smallLayout(library, THREADS);
  const jobs = new Map<string, number>();
  const own: Thread = (context) => {
    jobs.clear();
    return owner(context, jobs);
  };
  const finisher =
    (name: string): Thread =>
    (context) =>
    () =>
      library.finish.execute(context, at(jobs, name));
  const check = (outcome: Outcome) => {
    const handedOff = (outcome.results.slice(1) as number[]).filter((job) => job !== 0);
    const found = [...handedOff, ...queued(library, layout, outcome)];
    const executed = [...finishers, ...alsoExecuted].map((name) => at(jobs, name));
    sameNumbers(
      found.filter((job) => !executed.includes(job)),
      expected.map((name) => at(jobs, name)),
      "ready",
    );
    alsoCheck(outcome, jobs);
  };
  return exploreThreads(library, layout, [own, ...finishers.map(finisher)], () => [...jobs.values()], check);
}

/** Makes jobs and notes their slots. */
function make(library: Library, context: Context, jobs: Map<string, number>, names: string): void {
  for (const name of names) jobs.set(name, newJob(library, context, jobs.size + 1));
}

const at = (jobs: ReadonlyMap<string, number>, name: string) => jobs.get(name) as number;

/** a runs; meanwhile x and y are linked after it, and scheduled. */
const linkedLate = (library: Library) =>
  race(
    library,
    (context, jobs) => {
      make(library, context, jobs, "axy");
      library.graph.schedule(context, at(jobs, "a"));
      return () => {
        for (const name of "xy") {
          linkJobs(library, context, at(jobs, "a"), at(jobs, name));
          library.graph.schedule(context, at(jobs, name));
        }
      };
    },
    ["a"],
    ["x", "y"],
  );

/** x follows a and b, which two threads finish at once. */
const bothFinish = (library: Library) =>
  race(
    library,
    (context, jobs) => {
      make(library, context, jobs, "abx");
      for (const name of "ab") linkJobs(library, context, at(jobs, name), at(jobs, "x"));
      library.graph.schedule(context, at(jobs, "x"));
      return () => {};
    },
    ["a", "b"],
    ["x"],
  );

/** x follows a and b, which run already; it is scheduled while they finish. */
const scheduledLate = (library: Library) =>
  race(
    library,
    (context, jobs) => {
      make(library, context, jobs, "abx");
      for (const name of "ab") linkJobs(library, context, at(jobs, name), at(jobs, "x"));
      for (const name of "ab") library.graph.schedule(context, at(jobs, name));
      return () => library.graph.schedule(context, at(jobs, "x"));
    },
    ["a", "b"],
    ["x"],
  );

/** x is all that follows a, and is handed off without counting; unless y is linked in time. */
const single = (library: Library) =>
  race(
    library,
    (context, jobs) => {
      make(library, context, jobs, "axy");
      linkJobs(library, context, at(jobs, "a"), at(jobs, "x"));
      library.graph.schedule(context, at(jobs, "x"));
      return () => {
        linkJobs(library, context, at(jobs, "a"), at(jobs, "y"));
        library.graph.schedule(context, at(jobs, "y"));
      };
    },
    ["a"],
    ["x", "y"],
  );

/**
 * x follows a and b, and y follows a. The owner executes b, and x if it can, and uses x's slot and edges for
 * another job after c at once: the finisher of a must be done with the edge by then.
 */
const edgeReused = (library: Library) =>
  race(
    library,
    (context, jobs) => {
      make(library, context, jobs, "abcxy");
      for (const [first, next] of ["ay", "ax", "bx"]) linkJobs(library, context, at(jobs, first), at(jobs, next));
      for (const name of "xy") library.graph.schedule(context, at(jobs, name));
      return () => {
        let job = at(jobs, "b");
        while (job !== 0) job = library.finish.execute(context, job);
        const anew = [6, 7].map((id) => newJob(library, context, id));
        for (const slot of anew) linkJobs(library, context, at(jobs, "c"), slot);
        return anew;
      };
    },
    ["a"],
    ["y"],
    ["b", "x"],
    ({ words, results }, jobs) => {
      const { SLOT_LOG, S_EDGE, E_SOURCE } = library.layout;
      for (const slot of results[OWNER] as number[]) {
        const source = words.i32[(slot << SLOT_LOG) + S_EDGE + E_SOURCE];
        assert.ok(source === at(jobs, "c"), "an edge was written over");
      }
    },
  );

/**
 * x follows a, which runs already; y follows x, and z both. They are scheduled together while a finishes; its finisher
 * goes on with what that makes ready, and whatever is in the queues at the end is executed then: each job runs once.
 */
function scheduledTogether(library: Library) {
  const layout = smallLayout(library, THREADS);
  const jobs = new Map<string, number>();
  const owner: Thread = (context) => {
    jobs.clear();
    make(library, context, jobs, "axyz");
    for (const [first, next] of ["ax", "xz", "xy", "yz"]) linkJobs(library, context, at(jobs, first), at(jobs, next));
    library.graph.schedule(context, at(jobs, "a"));
    return () => library.graph.schedule(context, at(jobs, "z"));
  };
  const finisher: Thread = (context) => () => {
    library.finish.executeAll(context, at(jobs, "a"));
    return [...ranOn(context)];
  };
  const check = (outcome: Outcome) => {
    const context = contextOn(library, outcome.words, layout, 2);
    const left = () => queued(library, layout, outcome).filter((job) => job !== at(jobs, "a"));
    for (let found = left(); found.length > 0; found = left()) {
      for (const job of found) library.finish.executeAll(context, job);
    }
    sameNumbers([...(outcome.results[1] as number[]), ...ranOn(context)], [1, 2, 3, 4], "ran");
  };
  return exploreThreads(library, layout, [owner, finisher], () => [...jobs.values()], check);
}

holds("continuations: two are linked while the prerequisite finishes", linkedLate);
holds("continuations: two prerequisites finish at once", bothFinish);
holds("continuations: a job is scheduled while its two prerequisites finish", scheduledLate);
holds("continuations: a graph is scheduled while the job before it finishes", scheduledTogether);
holds("continuations: the only one gets company while the prerequisite finishes", single);
holds("continuations: an edge is used anew as soon as it is met", edgeReused);

catches("a linker adds its edge by a load and a store", linkedLate, /ready/, {
  file: "scheduler/graph",
  from: "if (Atomics.compareExchange(i32, list, head, edge | (head & AWAITED)) === head)",
  to: "i32[list] = edge | (head & AWAITED);\n        if (true)",
});

catches("a finisher closes the list by a load and a store", linkedLate, /ready/, {
  file: "scheduler/finish",
  from: "Atomics.exchange(memory.i32, address + S_CONTINUATIONS, CLOSING);",
  to: "Atomics.load(memory.i32, address + S_CONTINUATIONS); Atomics.store(memory.i32, address + S_CONTINUATIONS, CLOSING);",
});

for (const [name, model] of [
  ["nothing that follows", linkedLate],
  ["one that follows", single],
] as const) {
  catches(`a finisher of a job with ${name} closes the list by a check and a store`, model, /ready/, {
    file: "scheduler/finish",
    from: "Atomics.compareExchange(i32, word, head, CLOSED) !== head)",
    to: "Atomics.load(i32, word) !== head || (Atomics.store(i32, word, CLOSED), false))",
  });
}

catches("a finisher counts by a load and a store", bothFinish, /ready/, {
  file: "scheduler/finish",
  from: "return Atomics.sub(i32, address + S_UNMET, 1) === 1;",
  to: "const unmet = Atomics.load(i32, address + S_UNMET); Atomics.store(i32, address + S_UNMET, unmet - 1); return unmet === 1;",
});

catches("whoever schedules counts by a load and a store", scheduledLate, /ready/, {
  file: "scheduler/graph",
  from: "return Atomics.add(context.memory.i32, (job << SLOT_LOG) + S_UNMET, count) === -count;",
  to: `const word = (job << SLOT_LOG) + S_UNMET;
    const met = Atomics.load(context.memory.i32, word);
    Atomics.store(context.memory.i32, word, met + count);
    return met === -count;`,
});

catches("whoever schedules counts plainly though prerequisites run", scheduledLate, /ready/, {
  file: "scheduler/graph",
  from: "published || sealedIn[slotIndex(source)] !== call",
  to: "false",
});

catches("a walk takes what a running job may start for what cannot have started", scheduledTogether, /ran/, {
  file: "scheduler/graph",
  from: `nowReady = countAll(context, job, count);
        // It may start as soon as what it waits for has finished, and so may what the walk has yet to find before it.
        published = true;`,
  to: "nowReady = countAll(context, job, count);",
});

catches("a finisher looks for the next edge in one that it has met", edgeReused, /ready|undefined/, {
  file: "scheduler/finish",
  from: "edge = following;",
  to: "edge = memory.i32[words + E_NEXT];",
});

catches("a finisher writes to an edge that it has met", edgeReused, /written over/, {
  file: "scheduler/finish",
  from: "return Atomics.sub(i32, address + S_UNMET, 1) === 1;",
  to: "const ready = Atomics.sub(i32, address + S_UNMET, 1) === 1; i32[words + E_SOURCE] = 0; return ready;",
});
