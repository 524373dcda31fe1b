/** The worker threads of a system, as the creating thread sees them. */
import { elapsed, every, hold, MessageChannel, type MessagePort, nextTurn, print } from "../platform/host.js";
import type { Introduction } from "../values/shared-objects.js";
import { Links } from "./links.js";
import { type Hearer, Member, type MemberOptions } from "./member.js";
import type { WorkerMessage, WorkerStart } from "./messages.js";
import { deferred } from "./outcomes.js";
import { within } from "./within.js";

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

type Common = Omit<WorkerStart, "me" | "ports" | "pulse" | "control" | "introductions">;

/** How often to look whether workers start and end in time, while some do either; in milliseconds. */
const CHECK_EVERY = 10;
const NEVER = Number.POSITIVE_INFINITY;

export class WorkerPool implements Hearer {
  readonly count: number;
  /** To each worker. */
  readonly links: Links;
  /** Settles when all workers have ended, or are left to themselves. */
  readonly stopped: Promise<void>;
  onUnobserved: (failure: Uint8Array) => void = () => {};
  onDeath: (death: Death) => void = () => {};
  /** Whether a thread has written down that it ends. */
  notedExit: (thread: number) => boolean = () => false;
  /** Called with what the user's code on a worker has sent. */
  onValue: (value: unknown, thread: number) => void = () => {};
  /** Called when the signal of a job with `kill` was aborted while the job ran: see messages.ts. */
  onAborted: (slot: number, state: number) => void = () => {};
  readonly #how: MemberOptions;
  readonly #ports: (MessagePort | undefined)[][];
  /** By thread; none for the creating one. */
  readonly #members: Member[] = [];
  /** Threads that were terminated and did not end. */
  readonly #left = new Set<Member>();
  #common!: Common;
  readonly #allEnded = deferred<void>();
  #terminated = false;
  #alive = true;
  /** Without workers, what keeps the process alive is this thread's own. */
  #letGo: () => void = () => {};
  #started = false;
  /** How often the event loop has still to go round before the process may end. */
  #turns = 0;
  #endClock: (() => void) | undefined;
  /** When the last thread has ended, in milliseconds. */
  #lastEnd = 0;
  /** When the grace of a forced shutdown is over, in milliseconds, and what to do then. */
  #forcedAt = NEVER;
  #enforce: () => readonly number[] = () => [];

  /**
   * @param count how many workers; without any, the creating thread runs all jobs
   * @param how how each is started
   */
  constructor(count: number, how: MemberOptions) {
    this.count = count;
    this.#how = how;
    this.#ports = mesh(count + 1);
    this.links = new Links(this.#ports[0]);
    this.stopped = this.#allEnded.promise.then(() => this.links.close());
  }

  /**
   * Starts the workers.
   *
   * @throws what the first of them that fails throws, or the reason of `signal` if that is aborted before all are ready; then
   * none is left
   */
  async start(common: Common, signal: AbortSignal | undefined): Promise<void> {
    this.#common = common;
    try {
      for (let me = 1; me <= this.count; me++) this.#startMember(me, this.#ports[me], []);
      await within(Promise.all(this.#members.map(({ ready }) => ready)), signal);
    } catch (error) {
      this.terminate();
      // Those of workers that were not started.
      for (const ports of this.#ports) for (const port of ports) port?.close();
      await this.stopped;
      throw error;
    }
    this.#started = true;
    this.keepAlive(false);
    // Those that were ready and have died while others were still starting.
    for (const member of this.#all) if (!member.running) this.#noteDeath(member);
  }

  get #all(): readonly Member[] {
    return this.#members.filter((member) => member !== undefined);
  }

  /** The workers that live, but for those just noticed to be dead. */
  get living(): number[] {
    return this.#all.filter(({ dead }) => !dead).map(({ thread }) => thread);
  }

  /** The numbers of the workers that were terminated and did not end. */
  get left(): number[] {
    return Array.from(this.#left, ({ thread }) => thread).sort((a, b) => a - b);
  }

  /** Looks for workers that have died, or whose time is over, while this thread's event loop stands still. */
  look(): void {
    for (const member of this.#all) {
      const gone = !member.dead && member.gone;
      // After the look: what it has sent before its end is there.
      if (member.running) member.receive();
      if (gone) this.#noteDeath(member);
    }
    this.#check();
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
   * Starts a worker in a dead one's place. If it does not get ready, or cannot be started, that is a death like another.
   *
   * @param introductions the shared objects that the others know of
   */
  replace(thread: number, introductions: readonly Introduction[]): void {
    try {
      const member = this.#startMember(thread, this.#ports[thread], introductions);
      if (!this.#alive) member.unref();
    } catch (cause) {
      this.onDeath({ thread, exitCode: 1, cause, age: 0, startup: 0, killed: false });
    }
  }

  /** Lets a dead worker count as one that has stopped. */
  forget(thread: number): void {
    this.#members[thread].stopped = true;
    this.#endIfAllHave();
  }

  /** Ends a worker at once, whatever it is doing, because of a job. @param why for those whose jobs end with it */
  kill(thread: number, why: string): void {
    const member = this.#members[thread];
    member.killed = true;
    member.terminate(new Error(why));
    this.#startClock();
  }

  /**
   * Ends the workers that have not stopped in so many milliseconds; their deaths are told to nobody.
   *
   * @param enforce called before that; gives the workers that stop by themselves now
   */
  force(grace: number, enforce: () => readonly number[]): void {
    this.#enforce = enforce;
    this.#forcedAt = Math.min(this.#forcedAt, elapsed() + grace);
    this.#startClock();
  }

  /** Ends all workers, but for those that stop by themselves, whatever they are doing; their deaths are told to nobody. */
  terminate(stopping: readonly number[] = []): void {
    this.#terminated = true;
    for (const member of this.#all) {
      if (member.stopped || stopping.includes(member.thread)) member.expectEnd();
      else member.terminate();
    }
    this.#startClock();
    this.#endIfAllHave();
  }

  /** Keeps the process alive, or lets it end once what the jobs have printed that were waited for is there. */
  keepAlive(on: boolean): void {
    if (!on) this.#turnTwice();
    if (on === this.#alive) return;
    this.#alive = on;
    if (this.count === 0) {
      this.#letGo();
      this.#letGo = on ? hold() : () => {};
    }
    for (const member of this.#all) {
      if (on) member.ref();
      else member.unref();
    }
  }

  /**
   * Goes round the event loop twice before the process may end. What workers print comes as messages, sent before their jobs
   * finish, and those do not keep the process alive; it may be past this turn's messages already, but not past the next.
   */
  #turnTwice(): void {
    const turning = this.#turns > 0;
    this.#turns = 2;
    if (!turning) nextTurn(this.#turn);
  }

  readonly #turn = (): void => {
    if (--this.#turns > 0) nextTurn(this.#turn);
  };

  /** @throws what Node throws if it cannot start a thread */
  #startMember(
    me: number,
    ports: readonly (MessagePort | undefined)[],
    introductions: readonly Introduction[],
  ): Member {
    const member = new Member({ ...this.#common, me, ports, introductions }, this.#how, this);
    this.#members[me] = member;
    this.#startClock();
    return member;
  }

  /** @internal */
  onMessage(_member: Member, message: WorkerMessage): void {
    if (message.type === "printed") print(message.printed);
    else if (message.type === "unobserved") this.onUnobserved(message.failure);
    else if (message.type === "aborted") this.onAborted(message.slot, message.state);
    else if (message.type === "stopped" || message.type === "refused") this.#startClock();
  }

  /** @internal */
  hasNotedExit({ thread }: Member): boolean {
    return this.notedExit(thread);
  }

  /** @internal */
  onUserMessage({ thread }: Member, value: unknown): void {
    this.onValue(value, thread);
  }

  /** @internal */
  onEnd(member: Member): void {
    this.#lastEnd = elapsed();
    if (member.left) this.#left.add(member);
    else this.#left.delete(member);
    // Else its death was noticed before, and another has its place.
    if (this.#members[member.thread] !== member) return;
    if (member.stopped || this.#terminated) this.#endIfAllHave();
    else if (this.#started) this.#noteDeath(member);
  }

  #noteDeath(member: Member): void {
    if (member.dead || member.stopped || this.#terminated) return;
    member.dead = true;
    const { thread, born, readySince, cause, killed, exitCode = 1 } = member;
    const age = readySince === 0 ? 0 : elapsed() - readySince;
    const startup = readySince === 0 ? 0 : readySince - born;
    this.onDeath({ thread, exitCode, cause, age, startup, killed });
  }

  #endIfAllHave(): void {
    const over = (member: Member) => !member.running && (member.stopped || this.#terminated);
    if (!this.#all.every(over)) return;
    this.#forcedAt = NEVER;
    this.#letGo();
    this.#allEnded.resolve();
  }

  /** Looks at the time now and then, as long as it matters. */
  #startClock(): void {
    this.#endClock ??= every(CHECK_EVERY, () => this.#check());
  }

  #check(): void {
    const now = elapsed();
    if (now >= this.#forcedAt) {
      this.#forcedAt = NEVER;
      this.terminate(this.#enforce());
    }
    for (const member of this.#all) member.check(now, this.#lastEnd);
    if (this.#forcedAt < NEVER || this.#all.some(({ watched }) => watched)) return;
    this.#endClock?.();
    this.#endClock = undefined;
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
