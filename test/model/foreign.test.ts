/** Waits that leave foreign jobs to others: where nobody else can go on, one of them takes these, and no wait lasts for ever. */
import assert from "node:assert/strict";
import { catches } from "./support/check.js";
import type { Outcome } from "./support/explore.js";
import type { Library } from "./support/library.js";
import { holdsInLong } from "./support/long.js";
import { exploreThreads, type Thread } from "./support/threads.js";
import { Handle, newJob, ranOn, resultOf, setUpJobs, smallLayout } from "./support/world.js";

/**
 * Each of two workers waits, in a job, for a job that was made outside of any and lies in its own queue: foreign to it. After its wait a
 * worker goes on with whatever is ready, as the worker's loop does; it does not look again now and then.
 */
function waiting(library: Library) {
  const { layout: names, ready, finish, wait } = library;
  const layout = smallLayout(library, 3);
  const slots: number[] = [];
  const main: Thread = () => () => [];
  const worker =
    (me: number): Thread =>
    (context, words) => {
      const slot = newJob(library, context, me);
      slots[me] = slot;
      words.i32[(slot << names.SLOT_LOG) + names.S_PREREQUISITES] = names.SEALED;
      words.i32[context.block + names.B_ACTIVITY] = names.BUSY;
      ready.appendReady(context, slot);
      context.deque.publish();
      context.rank = 1;
      return () => {
        const outcome = wait.waitFor(context, new Handle(library, context, slot, resultOf(me)));
        assert.equal(outcome, wait.SETTLED, "the wait has ended without its job");
        context.rank = 0;
        for (let job = ready.findReady(context); job !== 0; job = ready.findReady(context)) {
          finish.execute(context, job);
        }
        context.setActivity(names.AT_REST);
        return [...ranOn(context)];
      };
    };
  const check = ({ results }: Outcome) => assert.deepEqual((results as number[][]).flat().sort(), [1, 2], "ran");
  return exploreThreads(library, layout, [main, worker(1), worker(2)], () => slots.slice(1), check, {
    setUp: (words) => setUpJobs(library, words, layout),
  });
}

holdsInLong("foreign jobs: two waits, and nobody else", waiting);

const file = "scheduler/wait";

catches("a thread that comes to rest does not look at the others again", waiting, /a wake was lost/, {
  file,
  from: "if (foreign && mayTakeForeign(context)) {",
  to: "if (false) {",
});

catches(
  "a thread looks at the others before it says that it is at rest",
  waiting,
  /a wake was lost/,
  { file, from: "context.setActivity(IDLE);\n        // After", to: "// After" },
  {
    file,
    from: "sleepFor(context, state, foreign",
    to: "context.setActivity(IDLE);\n            sleepFor(context, state, foreign",
  },
);

catches("nobody takes foreign jobs", waiting, /a wake was lost/, {
  file: "scheduler/nesting",
  from: "const own = ownReady(context);\n    for",
  to: "const own = ownReady(context);\n    if (me > 0)\n        return false;\n    for",
});
