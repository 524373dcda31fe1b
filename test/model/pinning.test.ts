/**
 * Handles on other threads: a slot is not used anew while somebody looks at it from elsewhere, who in turn notices
 * when it already is; jobs that several threads link and schedule at once become ready once.
 */
import assert from "node:assert/strict";
import type { Context } from "../../dist/scheduler/context.js";
import type { Words } from "../../dist/sync/words.js";
import { catches, holds, sameNumbers } from "./support/check.js";
import type { Outcome } from "./support/explore.js";
import type { Library } from "./support/library.js";
import { holdsInLong } from "./support/long.js";
import { exploreThreads, listenUntil, type Thread } from "./support/threads.js";
import { deliveredOn, guard, guardOf, Handle, newJob, queued, resultOf, smallLayout } from "./support/world.js";

const THREADS = 3;
const OWNER = 0;
const FINISHER = 1;
const FOREIGN = 2;

/** Slots that the programs of a model tell each other. */
interface Jobs {
  /** The owner's. */
  job: number;
  generation: number;
  /** The foreign thread's. */
  other: number;
}

type Part = (context: Context, jobs: Jobs, words: Words) => () => unknown;
const NOTHING: Part = () => () => 0;

/** Explores a thread that has a job, one that executes it, and one that has a handle from elsewhere. */
function race(
  library: Library,
  { owner = NOTHING, finisher = NOTHING, foreign = NOTHING }: { owner?: Part; finisher?: Part; foreign?: Part },
  check: (outcome: Outcome, jobs: Jobs, ready: readonly number[]) => void,
) {
  const layout = smallLayout(library, THREADS);
  const jobs: Jobs = { job: 0, generation: 0, other: 0 };
  const threads = [owner, finisher, foreign].map(
    (part, me): Thread =>
      (context, words) => {
        // The thread that executes the job may never have had a handle from elsewhere.
        context.pinning = me !== FINISHER;
        return part(context, jobs, words);
      },
  );
  const atEnd = (outcome: Outcome) => {
    const handedOff = outcome.results[FINISHER] as number;
    const ready = [...queued(library, layout, outcome), ...(handedOff === 0 ? [] : [handedOff])];
    check(outcome, jobs, ready);
    const { SLOT_LOG, S_PINS } = library.layout;
    assert.ok(outcome.words.i32[(jobs.job << SLOT_LOG) + S_PINS] === 0, "a pin is left");
  };
  const slots = () => [jobs.job, jobs.other];
  return exploreThreads(library, layout, threads, slots, atEnd, { guard: guardOf(library, OWNER) });
}

/** Has a scheduled job whose handle it has sent away. It takes the outcome over when it is told, and uses the slot anew. */
const deliver =
  (library: Library): Part =>
  (context, jobs, words) => {
    const { SEALED, AWAITED, S_GENERATION, SLOT_LOG } = library.layout;
    jobs.job = library.slots.takeSlot(context, 1, SEALED, AWAITED);
    jobs.generation = words.i32[(jobs.job << SLOT_LOG) + S_GENERATION];
    return () => {
      library.finish.drainFinished(context);
      listenUntil(library, context, () => context.undelivered.length > 0 || deliveredOn(context).length > 0);
      library.finish.drainFinished(context);
      if (deliveredOn(context).length > 0) {
        const anew = newJob(library, context, 2);
        if (anew === jobs.job) guard(library, words, anew);
      }
      return [...deliveredOn(context)];
    };
  };

/** Before that, links the foreign thread's job after its own, unless that is scheduled by then. */
const linkAndDeliver =
  (library: Library): Part =>
  (context, jobs, words) => {
    const { graph } = library;
    const { S_GENERATION, SLOT_LOG } = library.layout;
    const deliverIt = deliver(library)(context, jobs, words);
    return () => {
      if (graph.pin(context, jobs.other, words.i32[(jobs.other << SLOT_LOG) + S_GENERATION])) {
        graph.link(context, jobs.job, jobs.other);
        graph.unpin(context, jobs.other);
      }
      return deliverIt();
    };
  };

/** Has a job that is not scheduled; schedules it. */
const scheduleOther =
  (library: Library): Part =>
  (context, jobs) => {
    jobs.other = newJob(library, context, 3);
    return () => {
      library.graph.schedule(context, jobs.other);
    };
  };

/**
 * Has a scheduled job whose handle has not left the thread, and after it one whose handle has: so another thread may
 * come to the first by the edge. Looks at the first now and then, as `Job.settled` does.
 */
const poll =
  (library: Library): Part =>
  (context, jobs, words) => {
    const { SEALED, AWAITED, S_GENERATION, SLOT_LOG } = library.layout;
    jobs.job = library.slots.takeSlot(context, 1, SEALED, 0);
    context.outstanding.add(jobs.job);
    jobs.other = library.slots.takeSlot(context, 3, 0, AWAITED);
    jobs.generation = words.i32[(jobs.other << SLOT_LOG) + S_GENERATION];
    assert.ok(library.graph.link(context, jobs.job, jobs.other) === library.graph.LINKED, "not linked");
    return () => {
      const handle = new Handle(library, context, jobs.job, resultOf(1));
      for (let k = 0; k < 3 && !handle.settled; k++);
      library.finish.drainFinished(context);
      if (deliveredOn(context).length > 0) {
        const anew = newJob(library, context, 2);
        if (anew === jobs.job) guard(library, words, anew);
      }
      return [...deliveredOn(context)];
    };
  };

/** Schedules the job after it by its handle. */
const scheduleByHandle =
  (library: Library): Part =>
  (context, jobs) =>
  () => {
    const { graph } = library;
    assert.ok(graph.pin(context, jobs.other, jobs.generation), "stale");
    graph.schedule(context, jobs.other);
    graph.unpin(context, jobs.other);
  };

/** Executes the owner's job. */
const execute =
  (library: Library): Part =>
  (context, jobs) =>
  () =>
    library.finish.execute(context, jobs.job);

/** Has executed the owner's job before. */
const executed =
  (library: Library): Part =>
  (context, jobs) => {
    library.finish.execute(context, jobs.job);
    return () => 0;
  };

/** Links a job of its own after the owner's, if that is not stale, and schedules it. */
const linkAfter =
  (library: Library): Part =>
  (context, jobs) => {
    const { graph } = library;
    jobs.other = newJob(library, context, 3);
    return () => {
      if (graph.pin(context, jobs.job, jobs.generation)) {
        assert.ok(graph.link(context, jobs.job, jobs.other) === graph.LINKED, "not linked");
        graph.unpin(context, jobs.job);
      }
      graph.schedule(context, jobs.other);
    };
  };

/** Waits for the owner's job by an observer, which takes the outcome over; if it is not stale. */
const observe =
  (library: Library): Part =>
  (context, jobs) => {
    const { graph, slots, layout } = library;
    jobs.other = slots.takeSlot(context, 3 | layout.F_OBSERVER, 0, layout.AWAITED);
    return () => {
      if (!graph.pin(context, jobs.job, jobs.generation)) return "stale";
      assert.ok(graph.link(context, jobs.job, jobs.other) === graph.LINKED, "not linked");
      graph.unpin(context, jobs.job);
      graph.schedule(context, jobs.other);
      return "observed";
    };
  };

/** Schedules a job of its own that was linked after the owner's before: looks at its prerequisite through the edge. */
const scheduleAfter =
  (library: Library): Part =>
  (context, jobs) => {
    const { graph } = library;
    jobs.other = newJob(library, context, 3);
    assert.ok(graph.link(context, jobs.job, jobs.other) === graph.LINKED, "not linked");
    return () => {
      graph.schedule(context, jobs.other);
    };
  };

function otherIsReadyOnce({ results }: Outcome, { other }: Jobs, ready: readonly number[]): void {
  sameNumbers(ready, [other], "ready");
  const delivered = results[OWNER];
  if (Array.isArray(delivered)) assert.ok(delivered.length <= 1 && delivered.every((result) => result === resultOf(1)));
}

const linkedWhileDelivered = (library: Library) =>
  race(
    library,
    { owner: deliver(library), finisher: executed(library), foreign: linkAfter(library) },
    otherIsReadyOnce,
  );

const linkedWhileFinished = (library: Library) =>
  race(library, { owner: deliver(library), finisher: execute(library), foreign: linkAfter(library) }, otherIsReadyOnce);

const observed = (library: Library) =>
  race(
    library,
    { owner: deliver(library), finisher: execute(library), foreign: observe(library) },
    (outcome, { other }, ready) => {
      if (outcome.results[FOREIGN] === "stale") return;
      sameNumbers(ready, [other], "ready");
      const { SLOT_LOG, S_ARGUMENTS } = library.layout;
      const result = outcome.words.i32[(other << SLOT_LOG) + S_ARGUMENTS];
      assert.ok(result === resultOf(1), `the observer was given ${result}`);
    },
  );

const scheduledWhileFinished = (library: Library) =>
  race(
    library,
    { owner: deliver(library), finisher: execute(library), foreign: scheduleAfter(library) },
    otherIsReadyOnce,
  );

/** The edge comes after the foreign thread's search, and is met before it looks at it. */
const linkedAfterSearch = (library: Library) =>
  race(
    library,
    { owner: linkAndDeliver(library), finisher: execute(library), foreign: scheduleOther(library) },
    otherIsReadyOnce,
  );

/** Has a job that is not scheduled; schedules it. */
const schedule =
  (library: Library): Part =>
  (context, jobs) => {
    jobs.job = newJob(library, context, 1);
    return () => {
      library.graph.schedule(context, jobs.job);
    };
  };

/** The owner looks at its job again and again while another thread keeps it from being given back. */
const polled = (library: Library) =>
  race(
    library,
    { owner: poll(library), finisher: execute(library), foreign: scheduleByHandle(library) },
    otherIsReadyOnce,
  );

/** Two threads schedule the same job. */
const scheduledTwice = (library: Library) =>
  race(
    library,
    {
      owner: schedule(library),
      foreign: (context, jobs) => () => {
        const { graph } = library;
        if (!graph.pin(context, jobs.job, jobs.generation)) return;
        graph.schedule(context, jobs.job);
        graph.unpin(context, jobs.job);
      },
    },
    (_, { job }, ready) => sameNumbers(ready, [job], "ready"),
  );

/** While the owner schedules its job, another thread links one of its own before it: that is scheduled with it, or comes too late. */
const linkedWhileScheduled = (library: Library) =>
  race(
    library,
    {
      owner: schedule(library),
      foreign: (context, jobs) => {
        const { graph } = library;
        jobs.other = newJob(library, context, 3);
        return () => {
          if (!graph.pin(context, jobs.job, jobs.generation)) return graph.TOO_LATE;
          const outcome = graph.link(context, jobs.other, jobs.job);
          graph.unpin(context, jobs.job);
          return outcome;
        };
      },
    },
    ({ results }, { job, other }, ready) => {
      sameNumbers(ready, [results[FOREIGN] === library.graph.LINKED ? other : job], "ready");
    },
  );

holds("pinning: a job is linked after one whose slot is given back", linkedWhileDelivered);
holdsInLong("pinning: a job is linked after one that finishes, and whose slot is given back", linkedWhileFinished);
holds(
  "pinning: a job is scheduled while the one before it finishes, and its slot is given back",
  scheduledWhileFinished,
);
holdsInLong("pinning: a job is linked before one that is being scheduled, and finishes", linkedAfterSearch);
holds("pinning: an owner looks at a job that another thread looks at", polled);
holdsInLong("pinning: a job is observed while it finishes", observed);
holds("pinning: two threads schedule a job", scheduledTwice);
holds("pinning: a job is scheduled while another thread links one before it", linkedWhileScheduled);

const graph = "scheduler/graph";
const slots = "scheduler/slots";

catches("a foreign thread looks at the generation before it pins", linkedWhileDelivered, /given back|ready/, {
  file: graph,
  from: "Atomics.add(memory.i32, address + S_PINS, 1);\n    if (Atomics.load(memory.i32, address + S_GENERATION) === generation)\n        return true;",
  to: "const same = Atomics.load(memory.i32, address + S_GENERATION) === generation;\n    Atomics.add(memory.i32, address + S_PINS, 1);\n    if (same) return true;",
});

catches("an owner looks for pins before it changes the generation", linkedWhileDelivered, /given back|ready/, {
  file: slots,
  from: "Atomics.add(i32, address + S_GENERATION, 1);\n    return unpinned(context, slot);",
  to: "const free = unpinned(context, slot); Atomics.add(i32, address + S_GENERATION, 1);\n    return free;",
});

catches("an owner does not look for pins", linkedWhileDelivered, /given back|ready/, {
  file: slots,
  from: "return Atomics.add(context.memory.i32, (slot << SLOT_LOG) + S_PINS, 0) === 0;",
  to: "return true;",
});

catches("a linker that finds the list closed does not hand the outcome over", observed, /the observer was given/, {
  file: graph,
  from: "passOn(context, first, next);\n            i32[words + E_SOURCE] = 0;",
  to: "i32[words + E_SOURCE] = 0;",
});

catches("a search does not look at the edge again after it has pinned", scheduledWhileFinished, /given back|ready/, {
  file: graph,
  from: "if (Atomics.load(memory.i32, words + E_SOURCE) === source)",
  to: "if (true)",
});

catches("a finisher does not say in the edge that it is met", scheduledWhileFinished, /given back|ready/, {
  file: "scheduler/finish",
  from: "i32[words + E_SOURCE] = 0;",
  to: "",
});

catches(
  "a finisher whose thread has no handles leaves the source in edges to sealed jobs",
  linkedAfterSearch,
  /given back|ready/,
  {
    file: "scheduler/finish",
    from: "i32[words + E_SOURCE] = 0;",
    to: "if (context.pinning || (i32[address + S_PREREQUISITES] & (1 << 30)) === 0) i32[words + E_SOURCE] = 0;",
  },
);

catches("a slot that another thread looks at is left as if it had just finished", polled, /delivered|length/, {
  file: slots,
  from: "Atomics.store(context.memory.i32, (slot << SLOT_LOG) + S_CONTINUATIONS, CLOSING);",
  to: "",
});

catches("whoever schedules seals by a load and a store", scheduledTwice, /ready/, {
  file: graph,
  from: "const before = Atomics.or(memory.i32, (job << SLOT_LOG) + S_PREREQUISITES, SEALED);",
  to: "const list = (job << SLOT_LOG) + S_PREREQUISITES; const before = Atomics.load(memory.i32, list); Atomics.store(memory.i32, list, before | SEALED);",
});

catches("a linker adds a prerequisite by a check and a store", linkedWhileScheduled, /ready/, {
  file: graph,
  from: "if (Atomics.compareExchange(i32, list, older, address >>> EDGE_LOG) === older)",
  to: "if (Atomics.load(i32, list) === older && (Atomics.store(i32, list, address >>> EDGE_LOG), true))",
});

catches("whoever schedules does not look at the edges that came after its search", linkedWhileScheduled, /ready/, {
  file: graph,
  from: "for (const each of late)\n        schedule(context, each);",
  to: "",
});
