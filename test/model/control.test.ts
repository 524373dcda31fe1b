/**
 * Control records: of those who may finish a job with options, exactly one does; its owner hears of it once; and its slot
 * is released once, when nobody has it any more.
 */
import assert from "node:assert/strict";
import type { Context } from "../../dist/scheduler/context.js";
import { catches, holds } from "./support/check.js";
import type { Outcome } from "./support/explore.js";
import type { Library } from "./support/library.js";
import { holdsInLong } from "./support/long.js";
import { exploreThreads, listenUntil, type Thread } from "./support/threads.js";
import {
  CANCELLED,
  deliveredOn,
  guard,
  guardOf,
  isSource,
  newControlledJob,
  newJob,
  queued,
  ranOn,
  resultOf,
  setTime,
  smallLayout,
  TIMED_OUT,
} from "./support/world.js";

const MAIN = 0;
const JOB = 1;
/** The job's limit, and a time when that is over for a job that has started at 0. */
const LIMIT = 5;
const LATE = 10;

/** Notes the slots that a context's thread releases. */
function releasedOn(context: Context): number[] {
  const released: number[] = [];
  const { slots } = context;
  const give = slots.give.bind(slots);
  slots.give = (address) => {
    released.push(address);
    give(address);
  };
  return released;
}

/** What one thread does with its own job, before it waits until the slot is released. */
type Part = (context: Context, slot: number) => number;

/** What the threads of a model have done with a job. */
interface Done {
  /** What the owner has heard. */
  readonly outcomes: readonly number[];
  readonly released: readonly number[];
}

interface Setting {
  readonly threads: number;
  readonly owner: number;
  /** The job is cancelled before anything else. */
  readonly cancelled?: boolean;
  readonly limit?: number;
  readonly first?: Part;
  /** What else each other thread does, and whether its job is timed out by it. */
  readonly others: Readonly<Record<number, Part>>;
}

/**
 * Explores the threads of `setting` with one job that another follows. When the slot is released the owner uses it for
 * another job.
 *
 * @param check given the outcome, and how often the job's function was called
 */
function play(library: Library, setting: Setting, check: (outcome: number, calls: number) => void) {
  const { threads, owner, others } = setting;
  const { layout: names } = library;
  const layout = smallLayout(library, threads);
  let slot = 0;
  let next = 0;
  let record = 0;
  const owning: Thread = (context, words) => {
    slot = newControlledJob(library, context, JOB, setting.limit);
    record = library.control.controlOf(context, slot);
    next = newJob(library, context, JOB + 1);
    library.graph.link(context, slot, next);
    library.graph.schedule(context, next);
    if (setting.cancelled) library.control.cancel(context, slot);
    if (owner === MAIN) setTime(context, LATE);
    const released = releasedOn(context);
    return () => {
      const handedOff = setting.first?.(context, slot) ?? 0;
      listenUntil(library, context, () => released.length > 0);
      newJob(library, context, JOB);
      guard(library, words, slot);
      const done: Done = { outcomes: [...deliveredOn(context)], released: [...released] };
      return { handedOff, calls: ranOn(context).length, done };
    };
  };
  const beside =
    (me: number): Thread =>
    (context) => {
      if (me === MAIN) setTime(context, LATE);
      return () => ({ handedOff: others[me](context, slot), calls: ranOn(context).length });
    };
  const atEnd = (end: Outcome) => {
    const results = end.results as { handedOff: number; calls: number; done?: Done }[];
    const { outcomes, released } = results[owner].done as Done;
    assert.equal(outcomes.length, 1, `delivered: ${outcomes.join()}`);
    assert.equal(released.join(), String(slot << names.SLOT_LOG), "released");
    const ready = [...results.map(({ handedOff }) => handedOff), ...queued(library, layout, end)];
    assert.equal(ready.filter((job) => job === next).length, 1, `what follows is ready: ${ready.join()}`);
    const state = end.words.i32[record + names.C_STATE] & library.control.STATES;
    assert.ok(state === library.control.ENDED || state === library.control.TOLD, `the job's state is ${state}`);
    const failure = end.words.i32[(next << names.SLOT_LOG) + names.S_FAILURE];
    assert.equal(failure !== 0, outcomes[0] < 0, "what follows knows whether it failed");
    check(
      outcomes[0],
      results.reduce((sum, { calls }) => sum + calls, 0),
    );
  };
  const racing = () => [
    ...Array.from({ length: threads }, (_, thread) => layout.blockOf(thread) + names.B_TIMED),
    record + names.C_OUTER,
    // The executor looks before the job starts or is skipped, which finds out whether it was cancelled meanwhile; and when it
    // tells the owner of one that was: it only says how urgent that is.
    (slot << names.SLOT_LOG) + names.S_FAILURE,
  ];
  const source = isSource(library);
  const all = Array.from({ length: threads }, (_, me) => (me === owner ? owning : beside(me)));
  return exploreThreads(library, layout, all, () => [slot, next], atEnd, {
    mayRace: (word) => source(word) || racing().includes(word),
    guard: guardOf(library, owner),
  });
}

/** Cancels the job as a signal does. */
const cancel =
  (library: Library): Part =>
  (context, slot) => {
    if (library.control.cancel(context, slot)) finishCancelled(library)(context, slot);
    else library.control.askToStop(context, slot);
    return 0;
  };
const finishCancelled =
  ({ controlled, ready }: Library): Part =>
  (context, slot) => {
    controlled.finishCancelled(context, slot);
    // As a microtask would.
    ready.submitAll(context);
    return 0;
  };
const execute =
  ({ finish }: Library): Part =>
  (context, slot) =>
    finish.execute(context, slot);
const watch =
  (library: Library): Part =>
  (context) => {
    library.watch.watchNow(context);
    return 0;
  };
/** As `watch`, for a job of the main thread that is to be killed, on thread 1. */
const watchToKill =
  ({ control, layout, watch: { watchNow } }: Library): Part =>
  (context, slot) => {
    const killed: number[] = [];
    context.onOverdue = (thread) => killed.push(thread);
    context.memory.i32[control.controlOf(context, slot) + layout.C_KILL] = 1;
    watchNow(context);
    assert.deepEqual(killed, deliveredOn(context).includes(TIMED_OUT) ? [1] : [], "the worker is ended");
    return 0;
  };

const ran = (outcome: number, calls: number) => assert.deepEqual([outcome, calls], [resultOf(JOB), 1]);
const ranOrCancelled = (outcome: number, calls: number) => {
  if (outcome !== CANCELLED) ran(outcome, calls);
  else assert.equal(calls, 0, "the function of a cancelled job was called");
};
const ranInTimeOrNot = (outcome: number, calls: number) =>
  outcome === TIMED_OUT ? assert.equal(calls, 1) : ran(outcome, calls);

const starting = (library: Library) =>
  play(library, { threads: 2, owner: 0, first: cancel(library), others: { 1: execute(library) } }, ranOrCancelled);

const taking = (library: Library) =>
  play(
    library,
    {
      threads: 2,
      owner: 0,
      cancelled: true,
      first: finishCancelled(library),
      others: { 1: execute(library) },
    },
    (outcome, calls) => assert.deepEqual([outcome, calls], [CANCELLED, 0]),
  );

const timing = (library: Library) =>
  play(
    library,
    { threads: 2, owner: 0, limit: LIMIT, first: watchToKill(library), others: { 1: execute(library) } },
    ranInTimeOrNot,
  );

const timingOwn = (library: Library) =>
  play(
    library,
    { threads: 2, owner: 1, limit: LIMIT, first: execute(library), others: { 0: watch(library) } },
    ranInTimeOrNot,
  );

const timingApart = (library: Library) =>
  play(
    library,
    { threads: 3, owner: 1, limit: LIMIT, others: { 0: watch(library), 2: execute(library) } },
    ranInTimeOrNot,
  );

const timingAndAsking = (library: Library) =>
  play(
    library,
    { threads: 3, owner: 1, limit: LIMIT, first: cancel(library), others: { 0: watch(library), 2: execute(library) } },
    (outcome, calls) => (outcome === CANCELLED ? assert.equal(calls, 0) : ranInTimeOrNot(outcome, calls)),
  );

/** A thread's job, and after it another one in the same slot, which has more time: only the first may be timed out. */
function recycling(library: Library) {
  const layout = smallLayout(library, 2);
  const { layout: names } = library;
  let slot = 0;
  let record = 0;
  const main: Thread = (context) => {
    setTime(context, LATE);
    return () => library.watch.watchNow(context);
  };
  const worker: Thread = (context) => {
    slot = newControlledJob(library, context, JOB, LIMIT);
    record = library.control.controlOf(context, slot);
    const released = releasedOn(context);
    return () => {
      library.finish.execute(context, slot);
      listenUntil(library, context, () => released.length === 1);
      assert.equal(newControlledJob(library, context, JOB + 1, 100 * LATE), slot);
      library.finish.execute(context, slot);
      listenUntil(library, context, () => released.length === 2);
      return [...deliveredOn(context)];
    };
  };
  const check = ({ results }: Outcome) => {
    const [first, second, ...more] = results[1] as number[];
    assert.ok(first === resultOf(JOB) || first === TIMED_OUT, `the first job: ${first}`);
    assert.equal(second, resultOf(JOB + 1), "the second job");
    assert.equal(more.length, 0, "delivered more often");
  };
  return exploreThreads(library, layout, [main, worker], () => [slot], check, {
    // Of the others, the main thread makes use after its compare-exchange only, which fails where they are a later job's.
    mayRace: (word) =>
      word === layout.blockOf(1) + names.B_TIMED ||
      [names.C_OUTER, names.C_LIMIT, names.C_DEADLINE, names.C_KILL, names.C_THREAD].includes(word - record),
  });
}

holds("control: a job starts or is cancelled", starting);
holds("control: a cancelled job is finished by its owner or by who takes it from a queue", taking);
holds("control: a job of the main thread ends in time or not", timing);
holdsInLong("control: a job that its owner executes ends in time or not", timingOwn);
holdsInLong("control: a job of another thread ends in time or not", timingApart);
holdsInLong("control: a job is cancelled, asked to stop, timed out, or ends", timingAndAsking);
holds("control: a job in the slot of one that was timed out, or almost", recycling);

const control = "scheduler/control";
const controlled = "scheduler/controlled";
const WRONG =
  /delivered|released|ready|state|called|given back|a wake was lost|arguments|job:|second job|!==|deepEqual/;

catches("a job starts by a check and a store", starting, WRONG, {
  file: control,
  from: "if (Atomics.compareExchange(i32, control + C_STATE, before, ((before + START) & -START) | STARTED) !== before) {\n        return false;",
  to: "if ((Atomics.store(i32, control + C_STATE, ((before + START) & -START) | STARTED), false)) {\n        return false;",
});

catches("a job is cancelled by a check and a store", starting, WRONG, {
  file: control,
  from: "return change(context, control, before, CANCELLED);",
  to: "return Atomics.store(context.memory.i32, control + C_STATE, (before & ~STATES) | CANCELLED), true;",
});

catches("a job is asked to stop by a check and a store", starting, WRONG, {
  file: control,
  from: "if (Atomics.compareExchange(i32, control + C_STATE, before, before | ABORTED) !== before)",
  to: "if ((Atomics.store(i32, control + C_STATE, before | ABORTED), false))",
});

catches("the slot of a cancelled job is released although it is still in a queue", starting, WRONG, {
  file: control,
  from: "if (state === TOLD || (state",
  to: "if ((state",
});

catches("who takes a cancelled job from a queue does not tell its owner", starting, /a wake was lost/, {
  file: controlled,
  from: "    tellOwner(context, slot);\n    return 0;",
  to: "    return 0;",
});

catches("a cancelled job is claimed by a check and a store", taking, WRONG, {
  file: controlled,
  from: "(before & STATES) === CANCELLED && change(context, control, before, state)",
  to: "(before & STATES) === CANCELLED && (Atomics.store(context.memory.i32, control, (before & ~STATES) | state), true)",
});

catches("a job ends by a check and a store", timing, WRONG, {
  file: control,
  from: "if (state === TOLD || change(context, control, before, ENDED))",
  to: "if (state === TOLD || (Atomics.store(context.memory.i32, control + C_STATE, (before & ~STATES) | ENDED), true))",
});

catches("a job is timed out by a check and a store", timing, WRONG, {
  file: "scheduler/watch",
  from: "if (!change(context, control, before, TIMED_OUT))",
  to: "if ((Atomics.store(i32, control, (before & ~STATES) | TIMED_OUT), false))",
});

catches("a job that was timed out counts all the same", timing, WRONG, {
  file: controlled,
  from: "return before === STARTED;",
  to: "return true;",
});

catches("the slot of a job that was timed out is released although its function runs", timing, WRONG, {
  file: control,
  from: "(state === TIMED_OUT && change(context, control, before, TOLD))",
  to: "false",
});

catches("an owner takes the outcome over by a check and a store", timingApart, WRONG, {
  file: control,
  from: "(state === TIMED_OUT && change(context, control, before, TOLD))",
  to: "(state === TIMED_OUT && (Atomics.store(context.memory.i32, control + C_STATE, (before & ~STATES) | TOLD), true))",
});

catches("the end of a job whose outcome is taken over is not told", timing, /a wake was lost/, {
  file: controlled,
  from: "if (before === TOLD)",
  to: "if (false)",
});

catches("starts are not counted", recycling, WRONG, {
  file: control,
  from: "((before + START) & -START) | STARTED",
  to: "(before & -START) | STARTED",
});

catches("the time is looked at before the state", recycling, WRONG, {
  file: "scheduler/watch",
  from: "timeOut(context, slot, control, state)",
  to: "timeOut(context, slot, control, stateOf(context, control))",
});
