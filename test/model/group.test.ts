/** Groups: all jobs are counted, the owner is woken when they have finished, and it frees the record only then. */
import assert from "node:assert/strict";
import type { Context } from "../../dist/scheduler/context.js";
import { catches, holds } from "./support/check.js";
import type { Outcome } from "./support/explore.js";
import type { Library } from "./support/library.js";
import { exploreThreads, type Thread } from "./support/threads.js";
import { FAILING, resultOf, smallLayout } from "./support/world.js";

const THREADS = 3;
const OWNER = 0;

type Wait = (context: Context, group: number, count: number) => void;

/** Waits as `Group.wait` does. */
const waitFor =
  (library: Library): Wait =>
  (context, group, count) => {
    library.group.awaitGroup(context, group, count);
    library.wait.waitFor(context, {
      get settled() {
        return library.group.groupIsDone(context, group, count);
      },
      _slot: 0,
      _expectNotice: () => {},
    });
  };

/** Waits as an event loop does. */
const listen =
  ({ eventCount, group: groups }: Library): Wait =>
  (context, group, count) => {
    const { events, me } = context;
    for (let done = false; !done; ) {
      events.prepare(me, eventCount.LISTENING);
      done = groups.awaitGroup(context, group, count);
      if (done) events.cancel(me, eventCount.LISTENING);
      else events.commit(me, eventCount.LISTENING);
    }
  };

/**
 * Explores an owner that waits for a group whose jobs are executed by two threads: those numbers of jobs on each. It
 * frees the record then and uses its words anew.
 *
 * @param own how many of the jobs are in the owner's own deque
 * @param id the function of the jobs
 */
function awaited(library: Library, counts: readonly number[], wait: Wait = waitFor(library), own = 0, id = 1) {
  const { layout: offsets, group: groups, slots, finish, ready } = library;
  const layout = smallLayout(library, THREADS);
  const jobs: number[] = [];
  const total = own + counts.reduce((sum, count) => sum + count, 0);
  const owner: Thread = (context, words) => {
    const group = groups.makeGroup(context);
    jobs.length = 0;
    for (let k = 0; k < total; k++) {
      const slot = slots.takeGroupSlot(context, group);
      words.i32[(slot << offsets.SLOT_LOG) + offsets.S_FUNCTION] = id | offsets.F_GROUP;
      jobs.push(slot);
    }
    for (let k = 0; k < own; k++) ready.appendReady(context, jobs[total - 1 - k]);
    context.normal.own.publish();
    return () => {
      wait(context, group, total);
      const results = jobs.map((job) => words.i32[(job << offsets.SLOT_LOG) + offsets.S_ARGUMENTS]);
      const failure = words.i32[group + offsets.G_FAILURE];
      groups.freeGroup(context, group);
      return { results, failure };
    };
  };
  const finisher =
    (first: number, count: number): Thread =>
    (context) =>
    () => {
      for (let k = 0; k < count; k++) finish.execute(context, jobs[first + k]);
      groups.flushGroup(context);
    };
  const finishers = counts.map((count, k) => {
    const before = counts.slice(0, k).reduce((sum, each) => sum + each, 0);
    return finisher(before, count);
  });
  const check = ({ results }: Outcome) => {
    const { results: got, failure } = results[OWNER] as { results: number[]; failure: number };
    if (id >= FAILING) assert.ok(failure !== 0, "a failure was lost");
    else for (const result of got) assert.ok(result === resultOf(id), "the owner went on before a job had finished");
  };
  return exploreThreads(library, layout, [owner, ...finishers], () => [], check);
}

const one = (library: Library) => awaited(library, [1]);
const three = (library: Library) => awaited(library, [2, 1]);
const listening = (library: Library) => awaited(library, [1, 1], listen(library));
const helped = (library: Library) => awaited(library, [1], waitFor(library), 1);
const failing = (library: Library) => awaited(library, [1, 1], waitFor(library), 0, FAILING);

holds("group: an owner waits for a job", one);
holds("group: an owner waits for jobs that two threads finish", three);
holds("group: an owner listens for jobs that two threads finish", listening);
holds("group: an owner executes one of two jobs itself", helped);
holds("group: two jobs fail at once", failing);

const file = "scheduler/group";

catches(
  "a worker looks for the owner's target before it counts",
  one,
  /a wake was lost/,
  {
    file,
    from: "const owner = memory.i32[group + G_OWNER];",
    to: "const owner = memory.i32[group + G_OWNER]; const target = Atomics.load(memory.i32, group + G_TARGET);",
  },
  {
    file,
    from: "if (Atomics.load(memory.i32, group + G_TARGET) === done",
    to: "if (target === done",
  },
);

catches("an owner looks at the count before it says what it waits for", listening, /a wake was lost/, {
  file,
  from: "Atomics.store(context.memory.i32, group + G_TARGET, count & COUNT);\n    return groupIsDone(context, group, count);",
  to: "const done = groupIsDone(context, group, count); Atomics.store(context.memory.i32, group + G_TARGET, count & COUNT); return done;",
});

catches("workers count by a load and a store", three, /a wake was lost/, {
  file,
  from: "const done = (Atomics.add(memory.i32, group + G_DONE, counted) + counted) & COUNT;",
  to: "const done = Atomics.load(memory.i32, group + G_DONE) + counted; Atomics.store(memory.i32, group + G_DONE, done);",
});

catches(
  "a worker counts a job before it executes it",
  one,
  /before a job had finished/,
  {
    file: "scheduler/finish",
    from: "if (runRanked(context, slot, header))",
    to: "countGroupJob(context, group, 0); flushGroup(context);\n        if (runRanked(context, slot, header))",
  },
  {
    file: "scheduler/finish",
    from: "countGroupJob(context, group, failure);",
    to: "",
  },
);

catches("an owner sleeps without adding up what it has counted itself", helped, /a wake was lost/, {
  file: "scheduler/wait",
  from: "        watch(context);\n        flushGroup(context);",
  to: "        watch(context);",
});

catches("an owner does not look again after its announcement", one, /a wake was lost/, {
  file: "scheduler/wait",
  from: "const finished = target.settled ||",
  to: "const finished =",
});

catches("an owner looks at the count by a plain read", listening, /a data race/, {
  file,
  from: "return Atomics.load(context.memory.i32, group + G_DONE) === (count & COUNT);",
  to: "return context.memory.i32[group + G_DONE] === (count & COUNT);",
});
