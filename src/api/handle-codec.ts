/** Handles of jobs, and primitives, as arguments: they go by reference, so that any thread can use them. */
import { F_CONTROLLED, FUNCTION_MASK, S_FUNCTION, S_GENERATION, SLOT_LOG } from "../memory/layout.js";
import { pin, unpin } from "../scheduler/graph.js";
import { FAILED_JOB, JOB, TAG } from "../values/boxes.js";
import type { Handles } from "../values/codec.js";
import type { Engine } from "./engine.js";
import { failureOf } from "./failure-errors.js";
import { handleName } from "./handle-name.js";
import { Job } from "./job.js";
import { FAILED, PENDING } from "./outcomes.js";
import { bufferOf, primitiveOn } from "./primitives.js";

/** No slot has it: the handle of a job whose outcome its owner has taken over. */
const STALE = -1;

export class HandleCodec implements Handles {
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  nameOf(value: unknown): string | undefined {
    return handleName(value);
  }

  bufferOf(value: object): SharedArrayBuffer | undefined {
    return bufferOf(value);
  }

  primitiveOn(buffer: SharedArrayBuffer): unknown {
    return primitiveOn(buffer);
  }

  write(value: object, cell: number): number {
    if (!(value instanceof Job)) return 0;
    const engine = this.#engine;
    if (value._engine !== engine) throw new TypeError(`job "${value.name}" belongs to another JobSystem`);
    const { context, runner } = engine;
    // Whoever gets the handle may wait for the job, and is answerable for its failure.
    value._observe();
    // From now on, other threads may look at slots of this one.
    context.notePinning();
    // It may be released only when no other thread looks at it: so its finisher has to tell us.
    if (!value._isForeign()) engine.expectNotice(value);
    const { memory } = context;
    if (value._state === FAILED) {
      memory.i32[2 * cell] = runner.store(failureOf(value._outcome, value.name));
      memory.i32[2 * cell + 1] = TAG | FAILED_JOB;
      return 1;
    }
    memory.i32[2 * cell] = value._slot;
    memory.i32[2 * cell + 1] = TAG | JOB;
    if (value._state !== PENDING) memory.f64[cell + 1] = STALE;
    else if (value._isForeign()) memory.f64[cell + 1] = value._generation;
    else memory.f64[cell + 1] = memory.i32[(value._slot << SLOT_LOG) + S_GENERATION];
    return 2;
  }

  read(kind: number, cell: number, again: boolean): unknown {
    const { context, runner } = this.#engine;
    const { memory } = context;
    context.notePinning();
    const content = memory.i32[2 * cell];
    if (kind === FAILED_JOB) {
      const job = this.#engine.foreignHandle(0, STALE, 0);
      job._outcomes.settle(0, FAILED, again ? runner.errorIn(content) : runner.errorOf(content, "(unknown)"));
      return job;
    }
    memory.reach(content << SLOT_LOG);
    const header = memory.i32[(content << SLOT_LOG) + S_FUNCTION];
    const job = this.#engine.foreignHandle(content, memory.f64[cell + 1], header & FUNCTION_MASK);
    if (header & F_CONTROLLED) this.#nameLike(content, memory.f64[cell + 1], job);
    return job;
  }

  /** Gives a handle the name of its job, if that is still there. */
  #nameLike(slot: number, generation: number, job: Job<unknown>): void {
    const { context, runner } = this.#engine;
    if (!pin(context, slot, generation)) return;
    job._rename(runner.nameIn(slot));
    unpin(context, slot);
  }
}
