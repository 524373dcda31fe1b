/** Handles of jobs, and primitives, as arguments: they go by reference, so that any thread can use them. */
import { F_CONTROLLED, FUNCTION_MASK, S_FUNCTION, S_GENERATION, SLOT_LOG } from "../memory/layout.js";
import { pin, unpin } from "../scheduler/graph.js";
import { DONE_JOB, FAILED_JOB, JOB, TAG } from "../values/boxes.js";
import type { Handles } from "../values/codec.js";
import type { Engine } from "./engine.js";
import { failureOf } from "./failure-errors.js";
import { handleName } from "./handle-name.js";
import { Job, NO_GENERATION } from "./job.js";
import { DONE, FAILED, PENDING } from "./outcomes.js";
import { bufferOf, primitiveOn } from "./primitives.js";

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
    const job = handleHere(value);
    // It may be released only when no other thread looks at it: so its finisher has to tell us.
    if (!job._isForeign()) engine.expectNotice(job);
    if (job._state === FAILED) return this.#point(cell, FAILED_JOB, runner.store(failureOf(job._outcome, value.name)));
    if (job._state === DONE) {
      const block = this.#packed(value.name, job._outcome);
      if (block !== 0) return this.#point(cell, DONE_JOB, block);
    }
    this.#point(cell, JOB, job._slot);
    const { memory } = context;
    if (job._state !== PENDING) memory.f64[cell + 1] = NO_GENERATION;
    else if (job._isForeign()) memory.f64[cell + 1] = job._generation;
    else {
      memory.f64[cell + 1] = memory.i32[(job._slot << SLOT_LOG) + S_GENERATION];
      runner.lending.lend(job._slot);
    }
    return 2;
  }

  #point(cell: number, kind: number, content: number): number {
    const { i32 } = this.#engine.context.memory;
    i32[2 * cell] = content;
    i32[2 * cell + 1] = TAG | kind;
    return 1;
  }

  /** A copy of a result in a payload block; 0 where it cannot be copied, or there is no room for it. */
  #packed(name: string, result: unknown): number {
    try {
      return this.#engine.codec.pack([name, result]);
    } catch {
      return 0;
    }
  }

  read(kind: number, cell: number, again: boolean): unknown {
    const { context, runner } = this.#engine;
    const { memory } = context;
    context.notePinning();
    const content = memory.i32[2 * cell];
    if (kind === FAILED_JOB) {
      const error = again ? runner.errorIn(content, "(unknown)") : runner.errorOf(content, "(unknown)");
      return this.#engine.settledHandle(FAILED, error);
    }
    if (kind === DONE_JOB) {
      const [name, result] = this.#engine.codec.unpack(content);
      return this.#engine.settledHandle(DONE, result, name as string);
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

/** The handle that gets the outcome on this thread: of a job of another one, that of the observer, once somebody here has waited. */
function handleHere(job: Job<unknown>): Job<unknown> {
  return (job._isForeign() ? job._observer : undefined) ?? job;
}
