/**
 * Completion: an owner hears of each of its jobs once, whether it looks, asks to be told or is told unasked; no wake
 * is lost; and no finisher touches a slot that its owner may have taken anew.
 */
import type { Context } from "../../dist/scheduler/context.js";
import { catches, holds, sameNumbers } from "./support/check.js";
import type { Outcome } from "./support/explore.js";
import type { Library } from "./support/library.js";
import { holdsInLong } from "./support/long.js";
import { exploreThreads, listenUntil, type Thread } from "./support/threads.js";
import {
  deliveredOn,
  FAILED,
  FAILING,
  guard,
  guardOf,
  Handle,
  newJob,
  resultOf,
  smallLayout,
} from "./support/world.js";

const THREADS = 3;
const OWNER = 0;

type Wait = (context: Context, handles: readonly Handle[]) => void;

/** Waits for each job as `Job.wait` does. */
const waitForEach =
  (library: Library): Wait =>
  (context, handles) => {
    for (const handle of handles) if (!handle.settled) library.wait.waitFor(context, handle);
  };

/**
 * Explores an owner that waits for its jobs beside threads that execute one each, in the order of `functions`.
 * As soon as it has the outcomes, the owner uses the slots for other jobs.
 *
 * @param followed another job follows each, and is the finisher's to run: so the finisher has more to do
 */
function complete(library: Library, functions: readonly number[], wait: Wait, followed = false) {
  const layout = smallLayout(library, THREADS);
  let slots: number[] = [];
  const outcomes = functions.map((id) => (id >= FAILING ? FAILED : resultOf(id)));
  const owner: Thread = (context, words) => {
    slots = functions.map((id) => {
      const slot = library.slots.takeSlot(context, id, library.layout.SEALED, 0);
      context.outstanding.add(slot);
      return slot;
    });
    for (const slot of followed ? slots : []) {
      for (const id of [1, 2]) library.graph.link(context, slot, newJob(library, context, 10 + id));
    }
    return () => {
      wait(
        context,
        slots.map((slot, k) => new Handle(library, context, slot, outcomes[k])),
      );
      for (const id of functions) newJob(library, context, id);
      guard(library, words, slots[0]);
      return [...deliveredOn(context)];
    };
  };
  const finisher =
    (k: number): Thread =>
    (context) =>
    () => {
      library.finish.execute(context, slots[k]);
    };
  const check = ({ words, results }: Outcome) => {
    sameNumbers(results[0] as number[], outcomes, "delivered");
    const { SLOT_LOG, S_CONTINUATIONS } = library.layout;
    for (const slot of slots) {
      const word = words.i32[(slot << SLOT_LOG) + S_CONTINUATIONS];
      if (word !== 0) throw new Error(`the slot of a new job was written to: ${word}`);
    }
  };
  const threads = [owner, ...functions.map((_, k) => finisher(k))];
  return exploreThreads(library, layout, threads, () => slots, check, { guard: guardOf(library, OWNER) });
}

/** Asks to be told of each, and then takes over what is there, as an event loop does. */
const listen =
  (library: Library): Wait =>
  (context, handles) => {
    for (const handle of handles) handle._expectNotice();
    listenUntil(library, context, () => handles.every((handle) => handle._state !== 0));
  };

/** Looks at all of its jobs now and then, as an owner that waits for none of them; here twice, and then it waits. */
const sweep =
  (library: Library): Wait =>
  (context, handles) => {
    context.outstanding.sweep(context);
    context.outstanding.sweepSome(context);
    waitForEach(library)(context, handles);
  };

const waiting = (library: Library) => complete(library, [1], waitForEach(library));
const failing = (library: Library) => complete(library, [FAILING], waitForEach(library));
const listening = (library: Library) => complete(library, [1, 2], listen(library));
const sweeping = (library: Library) => complete(library, [1], sweep(library));
const followed = (library: Library) => complete(library, [1], waitForEach(library), true);

holds("completion: an owner waits for a job", waiting);
holds("completion: an owner waits for a job that fails", failing);
holds("completion: an owner sweeps, and then waits", sweeping);
holds("completion: an owner waits for a job that another one follows", followed);
holdsInLong("completion: an owner listens for two jobs", listening);

const finish = "scheduler/finish";

catches("an owner asks to be told by a load and a store", waiting, /a wake was lost|delivered/, {
  file: "api/engine",
  from: "const before = Atomics.or(this.context.memory.i32, word, AWAITED);",
  to: "const before = Atomics.load(this.context.memory.i32, word); if (before !== CLOSED) Atomics.store(this.context.memory.i32, word, before | AWAITED);",
});

catches("an owner that asks too late does not look", waiting, /a wake was lost/, {
  file: "api/engine",
  from: "if (before === CLOSED)",
  to: "if (false)",
});

catches("a finisher ends by a check and a store", followed, /a wake was lost/, {
  file: finish,
  from: "Atomics.compareExchange(memory.i32, address + S_CONTINUATIONS, CLOSING, CLOSED) !== CLOSING)",
  to: "Atomics.load(memory.i32, address + S_CONTINUATIONS) !== CLOSING || (Atomics.store(memory.i32, address + S_CONTINUATIONS, CLOSED), false))",
});

catches(
  "a finisher gives the slot to the owner before it is done with it",
  followed,
  /given back/,
  {
    file: finish,
    from: "Atomics.exchange(memory.i32, address + S_CONTINUATIONS, CLOSING);",
    to: "Atomics.exchange(memory.i32, address + S_CONTINUATIONS, CLOSED);",
  },
  {
    file: finish,
    from: "Atomics.compareExchange(memory.i32, address + S_CONTINUATIONS, CLOSING, CLOSED) !== CLOSING)",
    to: "false)",
  },
);

catches("a finisher closes the list by a check and a store", waiting, /a wake was lost/, {
  file: finish,
  from: "Atomics.compareExchange(i32, word, head, CLOSED) !== head)",
  to: "Atomics.load(i32, word) !== head || (Atomics.store(i32, word, CLOSED), false))",
});

catches("a finisher pushes onto the stack by a check and a store", listening, /a wake was lost|delivered/, {
  file: finish,
  from: "if (Atomics.compareExchange(memory.i32, list, head, slot) === head)",
  to: "if (Atomics.load(memory.i32, list) === head && (Atomics.store(memory.i32, list, slot), true))",
});

catches("a finisher writes the link after it has pushed", listening, /given back/, {
  file: finish,
  from: "memory.i32[address + S_LINK] = head;\n        if (Atomics.compareExchange(memory.i32, list, head, slot) === head)\n            break;",
  to: "if (Atomics.compareExchange(memory.i32, list, head, slot) === head) { memory.i32[address + S_LINK] = head;\n            break; }",
});

catches(
  "a finisher notifies before it pushes",
  listening,
  /a wake was lost/,
  {
    file: finish,
    from: "const list = memory.layout.blockOf(owner) + B_FINISHED;\n    for (;;) {",
    to: "const list = memory.layout.blockOf(owner) + B_FINISHED;\n    events.notify(owner, failed);\n    for (;;) {",
  },
  {
    file: finish,
    from: "            break;\n    }\n    events.notify(owner, failed);",
    to: "            break;\n    }",
  },
);

catches("an owner takes the stack by a load and a store", listening, /a wake was lost/, {
  file: finish,
  from: "let slot = Atomics.exchange(memory.i32, list, 0);",
  to: "let slot = Atomics.load(memory.i32, list); Atomics.store(memory.i32, list, 0);",
});

catches("an owner does not look again after its announcement", waiting, /a wake was lost/, {
  file: "scheduler/wait",
  from: "drainFinished(context);\n    const finished = target.settled ||",
  to: "const finished =",
});

catches("an owner looks plainly, and takes the outcome over", waiting, /a data race/, {
  file: "api/engine",
  from: "if (Atomics.load(i32, word) === CLOSED)",
  to: "if (i32[word] === CLOSED)",
});

catches("an owner sweeps plainly", sweeping, /a data race/, {
  file: "scheduler/outstanding",
  from: "if (Atomics.load(i32, list) === CLOSED)",
  to: "if (i32[list] === CLOSED)",
});
