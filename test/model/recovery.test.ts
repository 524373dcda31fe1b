/**
 * Recovery: a thread dies at each step of what it does. Every job settles once, also those that it had in hand; nobody
 * waits for ever; and no memory is in two places, and hardly any lost.
 */
import assert from "node:assert/strict";
import type { Context } from "../../dist/scheduler/context.js";
import { catches, holds } from "./support/check.js";
import {
  CANCELLED,
  CRASHED,
  dieAtEachStep,
  type Job,
  type Kind,
  OTHER,
  type Scenario,
  TAINTED,
  TIMED_OUT,
  type World,
} from "./support/deaths.js";
import { explore, type Program } from "./support/explore.js";
import type { Library } from "./support/library.js";
import { holdsInLong } from "./support/long.js";
import { contextOn, setUp, smallLayout } from "./support/world.js";

const dying =
  (scenario: Scenario, threads = 3) =>
  (library: Library) =>
    dieAtEachStep(library, scenario, threads);

/** Jobs of the main thread, linked as `links` says, of which the last is scheduled. */
function graph(world: World, kinds: readonly Kind[], links: readonly (readonly [number, number])[]): Job[] {
  const { main } = world;
  const jobs = kinds.map((kind) => world.spawn(main, kind));
  for (const [first, next] of links) world.link(main, jobs[first], jobs[next]);
  return jobs;
}

/** Executes all that it finds. */
function work(world: World) {
  world.library.ready.submitAll(world.main);
  return { operation: () => world.work(world.doomed) };
}

const fork =
  (kind: Kind, awaited = false): Scenario =>
  (world) => {
    const { main } = world;
    const jobs = graph(
      world,
      [kind, {}, {}, {}],
      [
        [0, 2],
        [0, 3],
        [1, 3],
      ],
    );
    for (const job of jobs) world.schedule(main, job);
    if (awaited) for (const job of jobs) world.awaits(main, job);
    return work(world);
  };

const chain =
  (fails = -1, owner: "main" | "doomed" = "main"): Scenario =>
  (world) => {
    const context = world[owner];
    const jobs = [0, 1, 2].map((place) => world.spawn(context, { fails: place === fails }));
    world.link(context, jobs[0], jobs[1]);
    world.link(context, jobs[1], jobs[2]);
    world.schedule(context, jobs[2]);
    return work(world);
  };

const inGroup =
  (fails = false): Scenario =>
  (world) => {
    const { main } = world;
    const groups = [world.group(main), world.group(main)];
    for (const [place, group] of [0, 0, 1, 0].entries()) {
      world.runInGroup(main, groups[group], { fails: fails && place === 1 });
    }
    for (const group of groups) world.library.group.awaitGroup(main, group, main.memory.i32[group + 4]);
    world.sleep(main);
    return work(world);
  };

/** A group gains a job whose arguments are being written when the thread that writes them, as these wait for something, is paused. */
const building: Scenario = (world) => {
  const { other } = world;
  const group = world.group(other);
  for (let k = 0; k < 2; k++) world.runInGroup(other, group);
  const complete = world.buildInGroup(other, group);
  return {
    ...work(world),
    after: () => {
      other.enter();
      complete();
      other.leave();
    },
  };
};

/** A job that itself makes others, of all kinds. */
const parent: Scenario = (world) => {
  const body = (context: Context) => {
    const before = context.enter();
    const group = world.group(context);
    world.runInGroup(context, group);
    world.run(context);
    const jobs = [{}, {}, { fails: true }, {}].map((kind) => world.spawn(context, kind));
    world.link(context, jobs[0], jobs[1]);
    world.link(context, jobs[0], jobs[3]);
    world.link(context, jobs[2], jobs[3]);
    world.schedule(context, jobs[1]);
    world.schedule(context, jobs[3]);
    world.runInGroup(context, group);
    context.leave(before);
  };
  world.run(world.main, { body: (context) => (context.me === OTHER ? undefined : body(context)) });
  return work(world);
};

/** Random graphs, groups and priorities of the main thread and the doomed one, of which that executes some. */
const random =
  (seed: number): Scenario =>
  (world) => {
    const { main, doomed, library } = world;
    const { F_HIGH, F_LOW, F_MAIN } = library.layout;
    let state = seed;
    const below = (most: number) => {
      state = Math.imul(state, 48271) >>> 0;
      return (state >>> 8) % most;
    };
    const flags = [0, 0, 0, 0, F_HIGH, F_LOW, F_MAIN];
    for (const context of [main, doomed]) {
      const group = world.group(context);
      const jobs: Job[] = [];
      for (let k = 0; k < 5; k++) {
        const job = world.spawn(context, { fails: below(5) === 0, flags: flags[below(flags.length)] });
        for (const each of jobs) if (below(3) === 0) world.link(context, each, job);
        jobs.push(job);
      }
      for (const job of jobs) if (below(2) === 0 && !job.scheduled) world.schedule(context, job);
      for (const job of jobs) if (!job.scheduled) world.schedule(context, job);
      for (const job of jobs) if (below(2) === 0) world.awaits(context, job);
      for (let k = 0; k < 3; k++) world.runInGroup(context, group, { fails: below(5) === 0, flags: flags[below(6)] });
      library.ready.endStretch(context);
    }
    return work(world);
  };

/** The doomed thread takes what is in the deque of `victim`, and then has but one job. */
const stealing =
  (victim: "main" | "other", flags: "F_HIGH" | "F_LOW" | undefined): Scenario =>
  (world) => {
    const context = world[victim];
    const kind = flags === undefined ? {} : { flags: world.library.layout[flags] };
    if (flags !== undefined) context.memory.i32[world.library.layout.H_PRIORITIES] = 1;
    for (let k = 0; k < 7; k++) world.run(context, kind);
    world.sleep(victim === "main" ? world.other : world.main);
    return work(world);
  };

/** The doomed thread is about to take the last job from its deque, and another was faster. */
const outrun: Scenario = (world) => {
  const { main, doomed, other } = world;
  world.run(doomed);
  world.work(other);
  return {
    ...work(world),
    after: () => {
      for (let k = 0; k < 3; k++) world.run(main);
    },
  };
};

/** A burst of jobs of a thread that lives, which has not published the last of them, and of the one that dies. */
const bursting: Scenario = (world) => {
  const { main, doomed, other } = world;
  for (let round = 0; round < 2; round++) {
    // What is in the deque in the first round is left behind in its array.
    world.work(doomed);
    for (let k = 0; k < 4; k++) world.run(other);
    world.library.ready.submitAll(main);
  }
  for (const context of [other, doomed]) context.submitted = 32;
  for (let k = 0; k < 3; k++) world.run(other);
  world.run(main);
  return {
    operation: () => {
      doomed.enter();
      for (let k = 0; k < 2; k++) world.run(doomed);
      doomed.leave();
      world.work(doomed);
    },
  };
};

/** Takes slots until there are none on other threads, and gives them back. */
const exchanging: Scenario = (world) => {
  const { main, doomed, other } = world;
  const cells = Array.from({ length: 22 }, () => other.slots.take());
  for (const cell of cells.splice(0, 14)) other.slots.give(cell);
  world.run(main);
  const taken: number[] = [];
  return {
    taken,
    operation: () => {
      doomed.enter();
      for (let k = 0; k < 16; k++) taken.push(doomed.slots.take());
      for (const cell of taken) doomed.slots.give(cell);
      taken.length = 0;
      const edges = Array.from({ length: 6 }, () => doomed.edges.take());
      for (const cell of edges) doomed.edges.give(cell);
      const blocks = Array.from({ length: 6 }, () => doomed.payloads.allocate(8));
      for (const block of blocks) doomed.payloads.free(block);
    },
    // Behind what the doomed thread has sent.
    after: () => {
      for (const cell of cells) other.slots.give(cell);
    },
  };
};

/** Is told of jobs that others have finished, and finds others finished. */
const draining: Scenario = (world) => {
  const { doomed, other, library } = world;
  const jobs = Array.from({ length: 4 }, (_, place) => world.run(doomed, { fails: place === 2 }));
  world.awaits(doomed, jobs[1]);
  world.work(other);
  world.run(world.main);
  return {
    operation: () => {
      doomed.enter();
      library.finish.drainFinished(doomed);
      doomed.outstanding.sweep(doomed);
      doomed.leave();
    },
  };
};

/** Announces its sleep, and takes that back or sleeps; also as a searcher. */
const sleeping =
  (found: boolean): Scenario =>
  (world) => {
    const { main, doomed, library } = world;
    world.sleep(world.other);
    world.sleep(main);
    return {
      operation: () => {
        doomed.enter();
        if (doomed.events.startSearch(doomed.searchers)) doomed.events.endSearch();
        doomed.events.prepare(doomed.me);
        if (found) doomed.events.cancel(doomed.me);
        else {
          doomed.leave(library.layout.ASLEEP);
          doomed.events.commit(doomed.me);
        }
        doomed.enter();
        doomed.events.startSearch(2);
      },
    };
  };

/** Wakes others, by jobs that it makes ready and by groups that it completes. */
const notifying: Scenario = (world) => {
  const { main, doomed, library } = world;
  const group = world.group(main);
  world.runInGroup(main, group);
  library.group.awaitGroup(main, group, 1);
  const job = world.run(main);
  world.awaits(main, job);
  world.sleep(world.other);
  world.sleep(main);
  return {
    operation: () => {
      world.work(doomed);
      doomed.enter();
      doomed.events.notifyOne();
      doomed.events.notify(OTHER, true);
      doomed.events.notifyAll();
    },
  };
};

/** Links a job of its own before one of the main thread, and schedules that; the main thread does so too, if need be. */
const foreign: Scenario = (world) => {
  const { main, doomed, other, library } = world;
  const { graph: edges, layout } = library;
  for (const context of [main, doomed, other]) context.notePinning();
  const [first, second, last] = graph(world, [{}, {}, {}], [[0, 1]]);
  const generation = ({ slot }: Job) => main.memory.i32[(slot << layout.SLOT_LOG) + layout.S_GENERATION];
  const generations = new Map([first, second, last].map((job) => [job, generation(job)]));
  const hold = (job: Job, use: () => void) => {
    if (!edges.pin(doomed, job.slot, generations.get(job) as number)) return;
    use();
    edges.unpin(doomed, job.slot);
  };
  return {
    operation: () => {
      doomed.enter();
      const own = world.spawn(doomed);
      hold(second, () => edges.link(doomed, own.slot, second.slot));
      hold(second, () => hold(last, () => edges.link(doomed, second.slot, last.slot)));
      second.before.push(own);
      last.before.push(second);
      hold(last, () => edges.schedule(doomed, last.slot));
      doomed.leave();
      world.work(doomed);
    },
    after: () => {
      main.enter();
      for (const job of [first, second, last]) world.schedule(main, job);
      main.leave();
    },
  };
};

/** The doomed thread makes jobs in slots that others have left. */
const renewing: Scenario = (world) => {
  const { main, doomed } = world;
  const old = [0, 1, 2, 3].map(() => world.spawn(doomed));
  for (const job of old.slice(1)) world.link(doomed, old[0], job);
  for (const job of old) {
    world.schedule(doomed, job);
    world.awaits(doomed, job);
  }
  world.work(world.other);
  world.work(doomed);
  world.run(main);
  return {
    operation: () => {
      doomed.enter();
      for (let k = 0; k < 2; k++) world.run(doomed);
      const [first, next] = [world.spawn(doomed), world.spawn(doomed)];
      world.link(doomed, first, next);
      world.schedule(doomed, next);
      doomed.leave();
    },
  };
};

/** A job is still in a queue when the slot of the only one before it has another job, which fails. */
const reusing: Scenario = (world) => {
  const { main, doomed, library } = world;
  main.memory.i32[library.layout.H_PRIORITIES] = 1;
  const [first] = graph(world, [{}, { flags: library.layout.F_LOW }], [[0, 1]]);
  world.schedule(main, world.jobs[1]);
  doomed.enter();
  library.finish.execute(doomed, library.ready.findReady(doomed));
  doomed.leave();
  world.turn();
  const anew = world.run(main, { fails: true });
  assert.equal(anew.slot, first.slot);
  return work(world);
};

/** The doomed thread cancels a job of its own, which one of the main thread follows. */
const cancelling: Scenario = (world) => {
  const { main, doomed } = world;
  for (const context of [doomed, world.other]) context.notePinning();
  const job = world.spawn(doomed, { retries: 0, may: [CANCELLED] });
  const next = world.spawn(main, { may: [TAINTED] });
  world.link(main, job, next);
  world.schedule(doomed, job);
  world.schedule(main, next);
  return {
    operation: () => {
      doomed.enter();
      world.cancel(doomed, job);
      doomed.leave();
      world.work(doomed);
    },
    after: () => assert.ok(main.pinning && world.successor().pinning, "others look at the dead thread's slots"),
  };
};

/** The doomed thread schedules its own jobs, which depend on each other. */
const scheduling =
  (careful: boolean): Scenario =>
  (world) => {
    const { doomed } = world;
    if (careful) doomed.cyclesPossible = true;
    return {
      operation: () => {
        doomed.enter();
        const jobs = [{}, { fails: true }, {}, {}, {}].map((kind) => world.spawn(doomed, kind));
        for (const [first, next] of [
          [0, 3],
          [1, 3],
          [2, 3],
          [3, 4],
          [0, 4],
        ]) {
          world.link(doomed, jobs[first], jobs[next]);
        }
        world.schedule(doomed, jobs[0]);
        world.schedule(doomed, jobs[4]);
        doomed.leave();
      },
    };
  };

/** A job with a control record and one after it; `meddle` is called when its function runs. */
const controlled =
  (kind: Kind, meddle: (world: World, job: Job) => void, owner: "main" | "other" = "main", early = false): Scenario =>
  (world) => {
    const context = world[owner];
    const job: Job = world.spawn(context, {
      retries: 0,
      ...kind,
      body: (here) => {
        if (here === world.doomed) meddle(world, job);
      },
    });
    const next = world.spawn(context, { may: [TAINTED] });
    world.link(context, job, next);
    world.schedule(context, next);
    world.awaits(context, job);
    if (early) meddle(world, job);
    return work(world);
  };

const cancel = (world: World, job: Job) => world.cancel(world.main, job);
const timeOut = (world: World) => {
  world.time = 10;
  world.library.watch.watchNow(world.main);
};
const nothing = () => {};
const LATE: Kind = { limit: 5, may: [TIMED_OUT] };

holds("recovery: a job with two continuations, one of which waits for another job", dying(fork({})));
holds("recovery: the same, where the owner is to be told", dying(fork({}, true)));
holds("recovery: a job that fails, with two continuations", dying(fork({ fails: true })));
holds("recovery: a chain", dying(chain()));
holds("recovery: a chain with a job that fails", dying(chain(1)));
holds("recovery: a chain of the dead thread", dying(chain(-1, "doomed")));
holds("recovery: a chain of the dead thread with a job that fails", dying(chain(0, "doomed")));
holds("recovery: jobs of groups", dying(inGroup()));
holds("recovery: jobs of groups, of which one fails", dying(inGroup(true)));
holds("recovery: a job of a group whose arguments are being written", dying(building));
holds("recovery: a job that makes others", dying(parent));
holds("recovery: jobs stolen from the main thread", dying(stealing("main", undefined)));
holds("recovery: jobs stolen from another worker", dying(stealing("other", undefined)));
holds("recovery: a deque whose last job was stolen", dying(outrun));
holds("recovery: jobs of high priority", dying(stealing("main", "F_HIGH")));
holds("recovery: jobs of low priority", dying(stealing("main", "F_LOW")));
holds("recovery: cells that change threads", dying(exchanging));
holds("recovery: outcomes that are taken over", dying(draining));
holds("recovery: a sleep that is taken back", dying(sleeping(true)));
holds("recovery: a sleep", dying(sleeping(false)));
holds("recovery: wakes", dying(notifying));
holds("recovery: handles of another thread", dying(foreign));
holds("recovery: jobs that are linked and scheduled", dying(scheduling(false)));
holds("recovery: jobs that are linked and scheduled, where there may be cycles", dying(scheduling(true)));
holds("recovery: a job with a control record", dying(controlled({}, nothing)));
holds("recovery: a job that may be run again", dying(controlled({ retries: 1 }, nothing)));
holds("recovery: a job that was cancelled", dying(controlled({ may: [CANCELLED] }, cancel, "main", true)));
holds("recovery: a job that is asked to stop", dying(controlled({ retries: 1, may: [CRASHED] }, cancel)));
holds("recovery: a job whose time is over", dying(controlled(LATE, timeOut)));
holds("recovery: a job of another worker whose time is over", dying(controlled(LATE, timeOut, "other")));
holds("recovery: slots that are taken again", dying(renewing));
holds("recovery: a slot that is used anew", dying(reusing));
holds("recovery: a job that the dead thread cancels", dying(cancelling));
holds("recovery: jobs that are not published yet", dying(bursting));
for (let seed = 1; seed <= 6; seed++)
  (seed === 1 ? holds : holdsInLong)(`recovery: all kinds of jobs (${seed})`, dying(random(seed)));
holds("recovery: one worker, a chain", dying(chain(), 2));
holds("recovery: one worker, jobs of groups", dying(inGroup(), 2));
holds("recovery: one worker, jobs that are not published yet", dying(bursting, 2));
holdsInLong("recovery: one worker, a job that makes others", dying(parent, 2));
for (let seed = 7; seed <= 8; seed++)
  (seed === 8 ? holds : holdsInLong)(`recovery: one worker, all kinds of jobs (${seed})`, dying(random(seed), 2));

/**
 * The pause: the main thread has all for itself while it recovers, and no thread stops for ever. The accesses of `enter`
 * and `leave` are plain, and so is what they guard: pause.ts says why no order is lost.
 */
function pausing(library: Library) {
  const { layout: names } = library;
  const layout = smallLayout(library, 2);
  const SHARED = layout.baseWords - 1;
  const worker: Program = (words) => {
    const context = contextOn(library, words, layout, 1);
    context.enter();
    context.leave();
    return () => {
      for (let k = 0; k < 2; k++) {
        const before = context.enter();
        words.i32[SHARED] = words.i32[SHARED] + 1;
        context.leave(before);
      }
    };
  };
  const main: Program = (words) => {
    const context = contextOn(library, words, layout, 0);
    return () => {
      let done = 0;
      const repair = () => {
        words.i32[SHARED] = words.i32[SHARED] + 10;
        done++;
      };
      for (let k = 0; k < 2; k++) library.recovery.recover(context, [], [1], repair);
      return done;
    };
  };
  const seen = new Set<number>();
  const exploration = explore(
    [main, worker],
    ({ words, results }) => {
      const done = results[0] as number;
      seen.add(done);
      assert.equal(words.i32[SHARED], 10 * done + 2, "somebody else has written meanwhile");
      assert.equal(words.i32[names.H_EPOCH], 4, "recoveries");
    },
    {
      setUp: (words) => setUp(library, words, layout),
      mayRace: (word) => [SHARED, names.H_EPOCH, layout.blockOf(1) + names.B_PHASE].includes(word),
    },
  );
  assert.deepEqual([...seen].sort(), [0, 1, 2], "how many of the two recoveries have succeeded");
  return exploration;
}

holds("recovery: a pause", pausing);

const WRONG =
  /settled|run|outcome|lost|given back|two places|taken|complete|counts|sleeps|of another job|failed because|for ever|no room|executing|Invalid|undefined/;
const recovery = "scheduler/recovery";
const pause = "scheduler/pause";
const repairJobs = "scheduler/repair-jobs";
const whereabouts = "scheduler/whereabouts";
const pool = "memory/pool";
const slots = "scheduler/slots";

catches("a slot counts as a job's before it is whole", dying(renewing), WRONG, {
  file: slots,
  from: "i32[address + S_UNMET] = 0;\n    i32[address + S_CONTINUATIONS]",
  to: "i32[address + S_FUNCTION] = 1;\n    i32[address + S_UNMET] = 0;\n    i32[address + S_CONTINUATIONS]",
});

catches("a pool's count rises before the cell is there", dying(exchanging), WRONG, {
  file: pool,
  from: "i32[this.#free + count] = cell;\n        i32[this.#count] = count + 1;",
  to: "i32[this.#count] = count + 1;\n        i32[this.#free + count] = cell;",
});

catches("a batch is sent before it has left its pool", dying(exchanging), WRONG, {
  file: pool,
  from: "        i32[this.#count] = batch;\n        for (let k = 0; k < batch; k++)\n            i32[this.#free + k] = i32[this.#free + batch + k];\n        if (this.#exchange.send(this.#pack(oldest)) !== SENT)\n            this.#overflow.push(...oldest);",
  to: "        if (this.#exchange.send(this.#pack(oldest)) !== SENT)\n            this.#overflow.push(...oldest);\n        i32[this.#count] = batch;\n        for (let k = 0; k < batch; k++)\n            i32[this.#free + k] = i32[this.#free + batch + k];",
});

catches("a job is executed by nobody", dying(fork({})), WRONG, {
  file: "scheduler/finish",
  from: "i32[address + S_UNMET] = HELD | context.me;",
  to: "",
});

catches("edges of jobs that have finished count", dying(fork({})), WRONG, {
  file: repairJobs,
  from: "else if (source !== 0) {",
  to: "else if (source !== 0) {\n                pending++;",
});

catches("a failure is not passed on again", dying(fork({ fails: true })), WRONG, {
  file: repairJobs,
  from: "passOn(this.#context, source, slot);",
  to: ";",
});

catches("a failure is passed on to a job that is in a queue", dying(reusing), WRONG, {
  file: repairJobs,
  from: " && !this.#whereabouts.isQueued(slot);\n        let pending",
  to: ";\n        let pending",
});

catches("an owner that has asked to be told meanwhile is not", dying(fork({}, true)), WRONG, {
  file: repairJobs,
  from: "(list & ~AWAITED) === CLOSING",
  to: "list === CLOSING",
});

catches("the finished jobs of a group are not counted anew", dying(inGroup()), WRONG, {
  file: "scheduler/repair-groups",
  from: "for (const group of [...context.orphanGroups, ...living])",
  to: "for (const group of [])",
});

catches("the event count is not repaired", dying(sleeping(false)), WRONG, {
  file: recovery,
  from: "events.repair(dead, asleep);",
  to: "",
});

catches("a searcher who has died counts", dying(sleeping(true)), WRONG, {
  file: "sync/event-count",
  from: "i32[this.#base + COUNTS] = counts;",
  to: "i32[this.#base + COUNTS] = (i32[this.#base + COUNTS] & -SEARCHER) | (counts & SLEEPERS_MASK);",
});

catches("a wake that was under way is not given", dying(notifying), WRONG, {
  file: "scheduler/conclude",
  from: "events.notify(thread, true);",
  to: ";",
});

catches("the exchange of a pool is not repaired", dying(exchanging), WRONG, {
  file: recovery,
  from: "slots.repair();",
  to: "",
});

catches("a deque's successor begins with an empty one", dying(stealing("main", undefined)), WRONG, {
  file: "sync/deque",
  from: "this.#bottom = i32[this.#base + BOTTOM];",
  to: "",
});

catches("pins of the dead thread stay", dying(foreign), WRONG, {
  file: repairJobs,
  from: "if (this.#pinned)\n",
  to: "if (false)\n",
});

catches("who does not know that its job is scheduled is not told of its end", dying(foreign), WRONG, {
  file: repairJobs,
  from: "else if (this.#pinned && list >= 0",
  to: "else if (list < 0",
});

catches("jobs that others wait for stay unscheduled", dying(scheduling(false)), WRONG, {
  file: repairJobs,
  from: "if (prerequisites & SEALED && unsealed)",
  to: "if (false)",
});

catches("jobs that are not published count as nobody's", dying(bursting), WRONG, {
  file: whereabouts,
  from: ": i32[block + B_HELD_BACK];",
  to: ": 0;",
});

catches("one worker: what is not published yet is looked for in the main thread's deque", dying(bursting, 2), WRONG, {
  file: whereabouts,
  from: "fifo || dead.has(thread) ? 0",
  to: "dead.has(thread) ? 0",
});

catches("a job that its dead owner has cancelled is finished by nobody", dying(cancelling), WRONG, {
  file: repairJobs,
  from: "unclaim(this.#context, slot);",
  to: ";",
});

catches("a job that may be run again fails", dying(controlled({ retries: 1 }, nothing)), WRONG, {
  file: "scheduler/conclude",
  from: "header & F_CONTROLLED && retry(context, slot)",
  to: "false",
});

catches("a job that was timed out is still its executor's", dying(controlled(LATE, timeOut, "other")), WRONG, {
  file: "scheduler/control",
  from: "i32[control + C_STATE] = (before & ~STATES) | ENDED;",
  to: "",
});

catches("a thread looks for a pause before it says that it enters", pausing, /somebody else has written/, {
  file: "scheduler/context",
  from: "        base[phase] = INSIDE;\n        // Already inside, what is shared may be half changed.\n        if (base[H_EPOCH] !== this.epoch && before !== INSIDE)\n            this.#catchUp(before);",
  to: "        const recovering = base[H_EPOCH] !== this.epoch && before !== INSIDE;\n        base[phase] = INSIDE;\n        if (recovering)\n            this.#catchUp(before);",
});

catches("who pauses the others looks before it says so", pausing, /somebody else has written/, {
  file: pause,
  from: "    Atomics.add(memory.i32, H_EPOCH, 1);\n",
  to: "    Atomics.load(memory.i32, memory.layout.blockOf(1) + B_PHASE) === INSIDE || (others = []);\n    Atomics.add(memory.i32, H_EPOCH, 1);\n",
});

catches("those that are paused are not woken", pausing, /a wake was lost/, {
  file: pause,
  from: "Atomics.notify(i32, H_EPOCH);",
  to: "",
});
