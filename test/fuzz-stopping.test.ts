/** Random graphs of synchronous and asynchronous jobs that are shut down at any moment: every job settles once, and rightly. */
import assert from "node:assert/strict";
import test from "node:test";
import type { Worker } from "node:worker_threads";
import fc from "fast-check";
import {
  DependencyFailedError,
  type Job,
  JobCancelledError,
  JobFailedError,
  JobSystem,
  JobTimeoutError,
  ShutdownError,
  WouldBlockError,
} from "heddle";
import { check } from "./support/fuzz.js";
import { HANGS, settled } from "./support/hangs.js";
import { bound } from "./support/long.js";
import * as work from "./support/shutdown-work.js";

const MODULE = new URL("./support/shutdown-work.js", import.meta.url);
const RUNS = bound(8, 60);
/** Longer than any test, in milliseconds. */
const NEVER = 1_000_000;

const FUNCTIONS = {
  plain: work.plain,
  failing: work.failing,
  timer: work.timer,
  rejecting: work.rejecting,
  child: work.child,
  ofGroup: work.ofGroup,
  reading: work.reading,
  waiting: work.waiting,
  waitingInside: work.waitingInside,
  stopping: work.stopping,
};
type Kind = keyof typeof FUNCTIONS;
const GIVEN: readonly Kind[] = ["reading", "waiting"];
const THROWING: readonly Kind[] = ["failing", "rejecting"];
/** Their waits may end with an error, where all that could go on are held up. */
const BLOCKING: readonly Kind[] = ["waiting", "waitingInside"];
const SYNCHRONOUS: readonly Kind[] = ["plain", "failing", "waiting", "waitingInside", "stopping"];

const anyKind = fc.oneof(
  { weight: 10, arbitrary: fc.constantFrom<Kind>("plain", "timer", "child", "ofGroup", "reading") },
  { weight: 2, arbitrary: fc.constantFrom<Kind>("failing", "rejecting") },
  { weight: 2, arbitrary: fc.constantFrom<Kind>("waiting", "waitingInside") },
  { weight: 1, arbitrary: fc.constant<Kind>("stopping") },
);
const mostly = <T>(usual: T, ...others: T[]) =>
  fc.oneof(
    { weight: 4, arbitrary: fc.constant(usual) },
    { weight: 1, arbitrary: others.length === 0 ? fc.constant(usual) : fc.constantFrom(...others) },
  );
const anyJob = fc.record({
  kind: anyKind,
  before: fc.array(fc.nat(), { maxLength: 2 }),
  given: fc.nat(),
  milliseconds: fc.integer({ min: 0, max: 3 }),
  inside: mostly(0, 1, 2),
  pinned: mostly(false, true),
  signal: mostly<number | undefined>(undefined, 0, 1),
  timeout: mostly<number | undefined>(undefined, 1, NEVER),
  scheduled: mostly(true, false),
  awaited: mostly<"at once" | "later">("at once", "later"),
});
const anyStep = fc.record({
  kind: fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom("turn", "pause") },
    { weight: 3, arbitrary: fc.constantFrom("wait", "await", "schedule", "abort") },
    { weight: 2, arbitrary: fc.constantFrom("shutdown", "force") },
  ),
  job: fc.nat(),
});
const anyPlan = fc.record({
  threads: fc.integer({ min: 1, max: 3 }),
  concurrency: fc.integer({ min: 1, max: 4 }),
  /** Whether jobs and the main thread wait synchronously; else asynchronous ones are pinned. With both, they may hold each other up for ever. */
  blocking: fc.boolean(),
  jobs: fc.array(anyJob, { minLength: 2, maxLength: 40 }),
  steps: fc.array(anyStep, { maxLength: 12 }),
});
type Plan = typeof anyPlan extends fc.Arbitrary<infer T> ? T : never;

/** One job as it is made from a plan, and what has come of it. */
interface Node {
  readonly index: number;
  readonly kind: Kind;
  readonly before: readonly number[];
  readonly given: number;
  readonly inside: readonly number[];
  readonly signal: number | undefined;
  readonly timeout: number | undefined;
  readonly pinned: boolean;
  readonly job: Job<number>;
  /** Awaited before it was scheduled. */
  readonly seen: boolean;
  /** Scheduled, as far as the main thread is concerned, before any shutdown. */
  scheduled: boolean;
  value?: number;
  error?: unknown;
}

class Flight {
  readonly nodes: Node[] = [];
  readonly #jobs: JobSystem;
  readonly #plan: Plan;
  readonly #marks: work.Marks;
  readonly #controllers = [new AbortController(), new AbortController()];
  readonly #reports: Error[] = [];
  readonly #shutdowns: Promise<{ neverScheduled: Readonly<Record<string, number>> }>[] = [];
  readonly #checks: (() => void)[] = [];
  #leaves: number;
  #closed = false;
  #forced = false;

  constructor(jobs: JobSystem, plan: Plan) {
    this.#jobs = jobs;
    this.#plan = plan;
    this.#leaves = plan.jobs.length;
    this.#marks = work.marksFor(3 * plan.jobs.length);
    jobs.on("error", (error) => this.#reports.push(error));
    work.inside.shutdown = (options) => this.#shutdown(options?.force === true);
  }

  async fly(): Promise<void> {
    for (const [index, each] of this.#plan.jobs.entries()) this.#make(each, index);
    for (const { index, seen } of this.nodes) if (seen || this.#plan.jobs[index].scheduled) this.#schedule(index);
    for (const step of this.#plan.steps) await this.#step(step.kind, step.job % this.nodes.length);
    this.#shutdown(false);
    const [{ neverScheduled }] = await settled(Promise.all(this.#shutdowns), "the shutdown");
    for (const node of this.nodes) await this.#end(node);
    for (const each of this.#checks) each();
    for (const node of this.nodes) this.#check(node);
    assert.equal(this.#marks[this.#marks.length - 1], 0, "a job has started before those that it depends on had ended");
    if (!this.#forced) {
      const never = this.nodes.filter(({ error }) => error instanceof ShutdownError);
      const counted = Object.values(neverScheduled).reduce((a, b) => a + b, 0);
      assert.equal(counted, never.length, "never scheduled");
    }
    for (const error of this.#reports) {
      if (error instanceof DependencyFailedError && this.nodes.some((each) => this.#hides(each))) continue;
      const node = this.nodes.find((each) => each.error === error);
      assert.ok(node !== undefined, `reported, although its owner has seen it: ${error}`);
      assert.ok(!node.seen, `reported, although it was awaited: ${error}`);
    }
  }

  /** Whether the failure of a job before it would stay unseen, as it was never scheduled. */
  #hides({ seen, error, before }: Node): boolean {
    return !seen && error instanceof ShutdownError && before.some((each) => this.nodes[each].error !== undefined);
  }

  #make(planned: Plan["jobs"][number], index: number): void {
    const { kind: wanted, milliseconds, signal, awaited } = planned;
    const tooSoon = index === 0 && GIVEN.includes(wanted);
    const kind = tooSoon || (BLOCKING.includes(wanted) && !this.#plan.blocking) ? "plain" : wanted;
    const before = index === 0 ? [] : [...new Set(planned.before.map((each) => each % index))];
    const given = index === 0 ? 0 : planned.given % index;
    const inside = Array.from({ length: planned.inside }, () => this.#leaves++);
    const place = { index, before, milliseconds, inside };
    const job = (
      GIVEN.includes(kind)
        ? this.#jobs.spawn(FUNCTIONS[kind as "reading"], this.#marks, place, this.nodes[given].job)
        : this.#jobs.spawn(FUNCTIONS[kind as "plain"], this.#marks, place)
    ) as Job<number>;
    const pinned = kind === "stopping" || (planned.pinned && (SYNCHRONOUS.includes(kind) || !this.#plan.blocking));
    const timeout = pinned ? undefined : planned.timeout;
    if (pinned) job.with({ on: "main" });
    if (timeout !== undefined) job.with({ timeout });
    if (signal !== undefined) job.with({ signal: this.#controllers[signal].signal });
    job.after(...before.map((each) => this.nodes[each].job));
    const seen = planned.scheduled && awaited === "at once";
    this.nodes.push({ index, kind, before, given, inside, signal, timeout, pinned, job, seen, scheduled: false });
  }

  /** Awaits it, or only schedules it. */
  #schedule(index: number): void {
    const node = this.nodes[index];
    if (!this.#closed) this.#markScheduled(index);
    if (node.seen) this.#await(node);
    else {
      try {
        node.job.schedule();
      } catch (error) {
        this.#expectRefused(node, error);
      }
    }
  }

  #markScheduled(index: number): void {
    const node = this.nodes[index];
    if (node.scheduled) return;
    node.scheduled = true;
    for (const first of node.before) this.#markScheduled(first);
  }

  #await(node: Node): void {
    void node.job.then(
      (value) => this.#checks.push(() => assert.equal(value, node.value)),
      (error: unknown) => this.#checks.push(() => this.#sameError(node, error)),
    );
  }

  /** What an await, begun at any moment, has given. */
  #sameError(node: Node, error: unknown): void {
    if (error !== node.error) this.#expectRefused(node, error);
  }

  /** After a shutdown, a job can no longer be scheduled. */
  #expectRefused(node: Node, error: unknown): void {
    assert.ok(error instanceof ShutdownError && !node.scheduled, `job ${node.index}: ${error}`);
  }

  async #step(kind: Plan["steps"][number]["kind"], index: number): Promise<void> {
    const node = this.nodes[index];
    if (kind === "turn") await new Promise((resolve) => setImmediate(resolve));
    else if (kind === "pause") await new Promise((resolve) => setTimeout(resolve, 1));
    else if (kind === "abort") this.#controllers[index % 2].abort();
    else if (kind === "wait" && this.#plan.blocking) this.#wait(node);
    else if (kind === "schedule") this.#schedule(index);
    else if (kind === "await" || kind === "wait") {
      if (!this.#closed) this.#markScheduled(index);
      this.#await(node);
    } else this.#shutdown(kind === "force");
  }

  #shutdown(force: boolean): ReturnType<JobSystem["shutdown"]> {
    this.#closed = true;
    this.#forced ||= force;
    const report = this.#jobs.shutdown({ force });
    this.#shutdowns.push(report);
    return report;
  }

  #wait(node: Node): void {
    if (!this.#closed) this.#markScheduled(node.index);
    try {
      const value = node.job.wait();
      this.#checks.push(() => assert.equal(value, node.value));
    } catch (error) {
      this.#checks.push(() => {
        if (error === node.error) return;
        if (error instanceof WouldBlockError) assert.ok(this.#mayBlock, error.message);
        else if (!this.#forced) this.#expectRefused(node, error);
        else assert.ok(error instanceof ShutdownError, String(error));
      });
    }
  }

  /** Whether a synchronous wait on the main thread may hold up what it waits for. */
  get #mayBlock(): boolean {
    return this.nodes.some(({ kind, pinned }) => BLOCKING.includes(kind) || (pinned && !SYNCHRONOUS.includes(kind)));
  }

  async #end(node: Node): Promise<void> {
    const outcomes = await settled(Promise.allSettled([node.job, node.job]), `job ${node.index}`);
    const [first, again] = outcomes;
    assert.deepEqual(again, first);
    assert.ok(node.job.settled);
    if (first.status === "fulfilled") node.value = first.value;
    else node.error = first.reason;
  }

  #check(node: Node): void {
    const { index, kind, before, inside, error, scheduled } = node;
    const starts = this.#marks[2 * index];
    const ends = this.#marks[2 * index + 1];
    const what = `job ${index}, ${kind}, started ${starts}, ended ${ends}: ${error ?? "done"}`;
    assert.ok(starts <= 1 && ends <= starts, what);
    const failed = before.some((each) => this.nodes[each].error !== undefined);
    if (failed) assert.equal(starts, 0, what);
    for (const each of inside) this.#checkInside(each, starts, what);
    if (error === undefined) {
      assert.equal(node.value, this.#valueOf(node), what);
      assert.equal(ends, 1, what);
      return;
    }
    if (error instanceof DependencyFailedError) assert.ok(failed && starts === 0, what);
    else if (error instanceof JobCancelledError) {
      assert.ok(node.signal !== undefined && this.#controllers[node.signal].signal.aborted, what);
      assert.equal(error.started, starts === 1, what);
    } else if (error instanceof JobTimeoutError) assert.ok(node.timeout === 1 && starts === 1, what);
    else if (error instanceof JobFailedError) {
      assert.equal(starts, 1, what);
      this.#checkCause(node, error.cause as Error, what);
    } else {
      assert.ok(error instanceof ShutdownError, what);
      assert.ok(this.#forced || !scheduled, what);
    }
  }

  /** A job that another one has submitted: it has run if that one has started, but for a shutdown by force. */
  #checkInside(index: number, expected: number, what: string): void {
    const starts = this.#marks[2 * index];
    const ends = this.#marks[2 * index + 1];
    assert.ok(starts <= expected && ends <= starts, `inside ${what}`);
    if (!this.#forced) assert.ok(starts === expected && ends === expected, `inside ${what}`);
  }

  /** Why a job has failed that has started. */
  #checkCause(node: Node, cause: Error, what: string): void {
    if (THROWING.includes(node.kind)) assert.equal(cause.message, work.MEANT, what);
    else if (BLOCKING.includes(node.kind) && /^(WouldBlockError|DependencyCycleError)$/.test(cause.name)) return;
    else if (this.#forced && cause.name === "ShutdownError") return;
    else {
      assert.ok(GIVEN.includes(node.kind), what);
      const given = this.nodes[node.given].error as Error | undefined;
      assert.equal(cause.name, given?.name, what);
    }
  }

  #valueOf({ kind, index, given }: Node): number {
    return GIVEN.includes(kind) ? index + this.#valueOf(this.nodes[given]) : index;
  }
}

test("asynchronous jobs and shutdowns at any moment: every job settles once, as it should", HANGS, async () => {
  const workers = new Set<Worker>();
  const watch = (worker: Worker) => {
    workers.add(worker);
    worker.on("exit", () => workers.delete(worker));
  };
  // The watchdog of these tests is told of before that.
  await new Promise((resolve) => setImmediate(resolve));
  process.on("worker", watch);
  try {
    await check(
      fc.asyncProperty(anyPlan, async (plan) => {
        const { threads, concurrency } = plan;
        const jobs = await JobSystem.create({ threads, concurrency, modules: [MODULE] });
        try {
          await new Flight(jobs, plan).fly();
        } finally {
          await jobs.shutdown({ force: true });
        }
        assert.equal(workers.size, 0, "workers are left");
      }),
      RUNS,
    );
  } finally {
    process.off("worker", watch);
  }
});
