/**
 * Jobs of the main thread: each that is pushed runs there once, whether it listens or waits, and no wake is lost; and
 * the workers do not stop before what follows them has run.
 */
import type { Context } from "../../dist/scheduler/context.js";
import { catches, holds, sameNumbers } from "./support/check.js";
import type { Outcome } from "./support/explore.js";
import type { Library } from "./support/library.js";
import { holdsInLong } from "./support/long.js";
import { exploreThreads, type Thread } from "./support/threads.js";
import { linkJobs, newJob, ranOn, setUpJobs, smallLayout } from "./support/world.js";

const MAIN = 0;

type Run = (context: Context, count: number) => void;

/** Runs its jobs as the event loop does, until it has run `count`. */
const listen =
  (library: Library): Run =>
  (context, count) => {
    const { events } = context;
    const { URGENT } = library.eventCount;
    for (;;) {
      events.prepare(MAIN, URGENT);
      library.mainLoop.runMainJobs(context);
      if (ranOn(context).length === count) break;
      events.commit(MAIN, URGENT);
    }
    events.cancel(MAIN, URGENT);
  };

/** Waits synchronously until it has run `count` jobs, which it does meanwhile. */
const wait =
  (library: Library): Run =>
  (context, count) => {
    const target = {
      _slot: 0,
      _expectNotice: () => {},
      get settled() {
        return ranOn(context).length === count;
      },
    };
    library.wait.waitFor(context, target);
  };

/** Threads push a job each, which the main thread runs. */
function push(library: Library, pushers: number, run: Run) {
  const layout = smallLayout(library, pushers + 1);
  const { F_MAIN, HAD_MAIN, SEALED, SLOT_LOG, S_PREREQUISITES } = library.layout;
  const slots: number[] = [];
  const main: Thread = (context) => () => {
    run(context, pushers);
    return [...ranOn(context)];
  };
  const pusher =
    (me: number): Thread =>
    (context, words) => {
      const slot = newJob(library, context, me | F_MAIN);
      words.i32[(slot << SLOT_LOG) + S_PREREQUISITES] = SEALED;
      slots[me - 1] = slot;
      return () => {
        library.ready.appendReady(context, slot);
        library.ready.publishReady(context);
      };
    };
  const ids = Array.from({ length: pushers }, (_, k) => k + 1);
  const check = ({ results }: Outcome) => sameNumbers(results[MAIN] as number[], ids, "ran");
  return exploreThreads(library, layout, [main, ...ids.map(pusher)], () => slots, check, {
    setUp: (words) => setUpJobs(library, words, layout, HAD_MAIN),
  });
}

/** A worker pushes a job for the main thread, which another one follows, and then stops when it may. */
function stop(library: Library) {
  const { finish, ready, workerLoop } = library;
  const layout = smallLayout(library, 2);
  const { F_MAIN, H_STATE, HAD_MAIN, STOPPING } = library.layout;
  let slot = 0;
  const main: Thread = (context) => () => {
    listen(library)(context, 1);
    return [...ranOn(context)];
  };
  const worker: Thread = (context) => {
    const { events } = context;
    slot = newJob(library, context, 1 | F_MAIN);
    const next = newJob(library, context, 2);
    linkJobs(library, context, slot, next);
    return () => {
      library.graph.schedule(context, next);
      for (;;) {
        const job = ready.findReady(context);
        if (job !== 0) {
          finish.execute(context, job);
          continue;
        }
        events.prepare(1);
        if (ready.nothingReady(context)) {
          if (workerLoop.mayStop(context)) return [...ranOn(context)];
          events.commit(1);
          events.endSearch();
        } else {
          events.cancel(1);
        }
      }
    };
  };
  const check = ({ results }: Outcome) => {
    sameNumbers(results[0] as number[], [1], "ran");
    sameNumbers(results[1] as number[], [2], "ran");
  };
  return exploreThreads(library, layout, [main, worker], () => [slot], check, {
    setUp: (words) => {
      setUpJobs(library, words, layout, HAD_MAIN);
      words.i32[H_STATE] = STOPPING;
    },
  });
}

const listening = (library: Library) => push(library, 2, listen(library));
const waiting = (library: Library) => push(library, 1, wait(library));

holds("jobs of the main thread: it listens, two threads push", listening);
holds("jobs of the main thread: it waits, a thread pushes", waiting);
holdsInLong("jobs of the main thread: a worker stops after what follows one", stop);

const file = "scheduler/main-jobs";

catches("a pusher writes the link after it has pushed", listening, /a wake was lost|ran|a data race/, {
  file,
  from: "memory.i32[linkOf(oldest)] = head;\n        if (Atomics.compareExchange(memory.i32, H_MAIN_JOBS, head, newest) === head)\n            break;",
  to: "if (Atomics.compareExchange(memory.i32, H_MAIN_JOBS, head, newest) === head) { memory.i32[linkOf(oldest)] = head;\n            break; }",
});

catches("a pusher wakes only who listens for everything", listening, /a wake was lost/, {
  file,
  from: "context.events.notify(MAIN, true);",
  to: "context.events.notify(MAIN);",
});

catches("a pusher does not notify a main thread that waits", waiting, /a wake was lost/, {
  file,
  from: "context.events.notify(MAIN, true);",
  to: "",
});

catches("the main thread takes the stack by a load and a store", listening, /a wake was lost|ran/, {
  file,
  from: "let item = Atomics.exchange(memory.i32, H_MAIN_JOBS, -2 * context.round - 1);",
  to: "let item = Atomics.load(memory.i32, H_MAIN_JOBS); Atomics.store(memory.i32, H_MAIN_JOBS, -2 * context.round - 1);",
});

catches("the main thread lets go by a store", listening, /a wake was lost|ran/, {
  file,
  from: "if (Atomics.compareExchange(memory.i32, H_MAIN_JOBS, -2 * round - 1, -2 * next) !== -2 * round - 1)",
  to: "if ((Atomics.store(memory.i32, H_MAIN_JOBS, -2 * next), false))",
});

catches("the main thread does not look again after its announcement", waiting, /a wake was lost/, {
  file: "scheduler/wait",
  from: "const found = finished || !nothingHere(context) ||",
  to: "const found = finished ||",
});

catches("the main thread does not wake the workers when it lets go", stop, /a wake was lost/, {
  file,
  from: "events.notify(thread);",
  to: "void thread;",
});

catches("a worker stops without a look at the main thread's jobs", stop, /ran/, {
  file: "scheduler/worker-loop",
  from: "if (round === NOT_AT_REST)",
  to: "if (false)",
});
