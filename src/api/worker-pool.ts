/** The worker threads of a system, as the creating thread sees them. */
import {
  MessageChannel,
  type MessagePort,
  Pulse,
  print,
  type ResourceLimits,
  startThread,
  type Worker,
} from "../platform/node.js";
import type { Introduction } from "../values/shared-objects.js";
import { Links } from "./links.js";
import type { WorkerMessage, WorkerStart } from "./messages.js";
import { deferred } from "./outcomes.js";

/** A worker has ended although it was not told to. */
export interface Death {
  readonly thread: number;
  /** What the thread has ended with, as far as that is known yet. */
  readonly exitCode: number;
  /** What was thrown and not caught in it. */
  readonly cause: unknown;
  /** How long it had been ready, in milliseconds; 0 if it never was. */
  readonly age: number;
  /** How long it had taken until it was ready, in milliseconds; 0 if it never was. */
  readonly startup: number;
  /** The system itself has ended it, because of a job. */
  readonly killed: boolean;
}

type Common = Omit<WorkerStart, "me" | "ports" | "pulse" | "introductions">;

interface Member {
  readonly worker: Worker;
  readonly pulse: Pulse;
  readonly born: number;
  /** When it was ready, or 0. */
  readySince: number;
  /** Told to stop, and has. */
  stopped: boolean;
  /** Its death is known; its thread has ended. */
  dead: boolean;
  /** What its thread has ended with, once it has. */
  exitCode: number | undefined;
  killed: boolean;
  cause: unknown;
}

export class WorkerPool {
  readonly count: number;
  /** To each worker. */
  readonly links: Links;
  /** Settles when all workers have ended. */
  readonly stopped: Promise<void>;
  onUnobserved: (failure: Uint8Array) => void = () => {};
  onDeath: (death: Death) => void = () => {};
  readonly #limits: ResourceLimits;
  readonly #ports: (MessagePort | undefined)[][];
  /** By thread; none for the creating one. */
  readonly #members: Member[] = [];
  #common!: Common;
  readonly #allEnded = deferred<void>();
  #running: number;
  #terminated = false;
  #alive = true;
  #started = false;
  /** How often the event loop has still to go round before the process may end. */
  #turns = 0;

  /** @param limits for the memory of each worker */
  constructor(count: number, limits: ResourceLimits) {
    this.count = count;
    this.#limits = limits;
    this.#running = count;
    this.#ports = mesh(count + 1);
    this.links = new Links(this.#ports[0]);
    this.stopped = this.#allEnded.promise.then(() => this.links.close());
  }

  /** Starts the workers. @throws what the first of them that fails throws; then none is left */
  async start(common: Common): Promise<void> {
    this.#common = common;
    const ready: Promise<void>[] = [];
    for (let me = 1; me <= this.count; me++) ready.push(this.#startMember(me, this.#ports[me], []));
    try {
      await Promise.all(ready);
    } catch (error) {
      this.terminate();
      await this.stopped;
      throw error;
    }
    this.#started = true;
    this.keepAlive(false);
    // Those that were ready and have died while others were still starting.
    this.#members.forEach((member, thread) => {
      if (member.exitCode !== undefined) this.#noteDeath(thread, member, member.exitCode);
    });
  }

  /** The workers that live, but for those just noticed to be dead. */
  get living(): number[] {
    return this.#members.flatMap((member, thread) => (member === undefined || member.dead ? [] : [thread]));
  }

  /** Looks for workers that have died while this thread's event loop stood still. */
  look(): void {
    this.#members.forEach((member, thread) => {
      if (!member.stopped && !member.dead && member.pulse.stopped) this.#noteDeath(thread, member, 1);
    });
  }

  /**
   * Makes ports for the workers that are to take dead ones' places, and gives all others theirs. To be called while the others
   * are paused; `replace` then starts them.
   */
  prepareSuccessors(dead: readonly number[]): void {
    for (const thread of dead) this.#ports[thread] = new Array(this.count + 1).fill(undefined);
    for (const thread of dead) {
      for (let other = 0; other <= this.count; other++) {
        if (other === thread || this.#ports[thread][other] !== undefined) continue;
        const { port1, port2 } = new MessageChannel();
        this.#ports[thread][other] = port1;
        if (other === 0) this.links.replace(thread, port2);
        else if (dead.includes(other)) this.#ports[other][thread] = port2;
        // To one whose death is not noticed yet, its successor will bring another.
        else this.links.introduce(other, thread, port2);
      }
    }
  }

  /**
   * Starts a worker in a dead one's place. If it does not get ready, that is a death like another.
   *
   * @param introductions the shared objects that the others know of
   */
  replace(thread: number, introductions: readonly Introduction[]): void {
    // Its death tells.
    this.#startMember(thread, this.#ports[thread], introductions).catch(() => {});
    const { worker } = this.#members[thread];
    if (!this.#alive) worker.unref();
  }

  /** Lets a dead worker count as one that has stopped. */
  forget(thread: number): void {
    this.#members[thread].stopped = true;
    if (this.#members[thread].exitCode !== undefined) this.#ended();
  }

  /** Ends a worker at once, whatever it is doing, because of a job that was given up. */
  kill(thread: number): void {
    this.#members[thread].killed = true;
    void this.#members[thread].worker.terminate();
  }

  /** Ends all workers at once, whatever they are doing; their deaths are told to nobody. */
  terminate(): void {
    this.#terminated = true;
    for (const member of this.#members) {
      if (member === undefined) continue;
      if (member.exitCode !== undefined) this.#ended();
      else void member.worker.terminate();
    }
  }

  /** Keeps the process alive, or lets it end once what the jobs have printed that were waited for is there. */
  keepAlive(on: boolean): void {
    if (!on) this.#turnTwice();
    if (on === this.#alive) return;
    this.#alive = on;
    for (const member of this.#members) {
      if (on) member?.worker.ref();
      else member?.worker.unref();
    }
  }

  /**
   * Goes round the event loop twice before the process may end. What workers print comes as messages, sent before their jobs
   * finish, and those do not keep the process alive; it may be past this turn's messages already, but not past the next.
   */
  #turnTwice(): void {
    const turning = this.#turns > 0;
    this.#turns = 2;
    if (!turning) setImmediate(this.#turn);
  }

  readonly #turn = (): void => {
    if (--this.#turns > 0) setImmediate(this.#turn);
  };

  #startMember(
    me: number,
    ports: readonly (MessagePort | undefined)[],
    introductions: readonly Introduction[],
  ): Promise<void> {
    const { promise, resolve, reject } = deferred<void>();
    const pulse = new Pulse();
    const transfer = [pulse.other, ...ports.filter((port) => port !== undefined)];
    const data: WorkerStart = { ...this.#common, me, ports, introductions, pulse: pulse.other };
    const worker = startThread(`heddle ${me}`, data, transfer, this.#limits);
    const member: Member = {
      worker,
      pulse,
      born: performance.now(),
      readySince: 0,
      stopped: false,
      dead: false,
      exitCode: undefined,
      killed: false,
      cause: undefined,
    };
    this.#members[me] = member;
    worker.on("message", (message: WorkerMessage) => {
      if (message.type === "ready") {
        member.readySince = performance.now();
        resolve();
      } else if (message.type === "refused") {
        member.cause = message.error;
        reject(message.error);
      } else if (message.type === "stopped") member.stopped = true;
      else if (message.type === "printed") print(message.printed);
      else this.onUnobserved(message.failure);
    });
    worker.on("error", (error) => {
      member.cause = error;
      reject(error);
    });
    worker.on("exit", (code) => {
      reject(new Error(`a worker ended with code ${code} before it was ready`));
      // Its death was noticed before, and another has its place.
      if (this.#members[me] !== member) return;
      member.exitCode = code;
      if (member.stopped || this.#terminated) this.#ended();
      else if (this.#started) this.#noteDeath(me, member, code);
    });
    return promise;
  }

  #noteDeath(thread: number, member: Member, exitCode: number): void {
    if (member.dead) return;
    member.dead = true;
    const { born, readySince, cause, killed } = member;
    const age = readySince === 0 ? 0 : performance.now() - readySince;
    const startup = readySince === 0 ? 0 : readySince - born;
    this.onDeath({ thread, exitCode, cause, age, startup, killed });
  }

  #ended(): void {
    if (--this.#running === 0) this.#allEnded.resolve();
  }
}

/** A port from each thread to each other. */
function mesh(threads: number): (MessagePort | undefined)[][] {
  const ports: (MessagePort | undefined)[][] = Array.from({ length: threads }, () =>
    new Array(threads).fill(undefined),
  );
  for (let a = 0; a < threads; a++) {
    for (let b = a + 1; b < threads; b++) {
      const { port1, port2 } = new MessageChannel();
      ports[a][b] = port1;
      ports[b][a] = port2;
    }
  }
  return ports;
}
