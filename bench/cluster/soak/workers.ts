/** The worker processes: always so many, each replaced when it has ended. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Random } from "../../soak/random.js";
import type { Faults } from "./faults.js";
import { clock, WORKER } from "./notes.js";
import { LossyProxy } from "./proxy.js";

const BIN = fileURLToPath(new URL("../../../../dist/cli/heddle.js", import.meta.url));
const NEWER = fileURLToPath(new URL("./work.js", import.meta.url));
const OLDER = fileURLToPath(new URL("./older/work.js", import.meta.url));
/** How long a worker must have been ready to count as one that could do something, in milliseconds. */
const SETTLED = 5000;
/** In milliseconds. */
const LATEST_REPLACEMENT = 2000;
const GRACES = [0, 300, 2000];
const LONGEST_STOP = 60_000;

interface Member {
  readonly name: string;
  readonly process: ChildProcess;
  readonly older: boolean;
  readonly grace: number;
  readonly exited: Promise<unknown>;
  /** When it was ready. */
  ready?: number;
  stopping: boolean;
}

/** A place for one worker after the other. */
export class Slot {
  readonly proxy: LossyProxy | undefined;
  /** Whether to start the older version the next time. */
  older = false;
  member: Member | undefined;
  /** Faults of its connections that are under way. */
  disturbed = 0;
  /** The last one. */
  fault: string | undefined;

  constructor(proxy: LossyProxy | undefined) {
    this.proxy = proxy;
  }
}

export class Workers {
  readonly slots: readonly Slot[];
  readonly #url: string;
  readonly #schema: string;
  readonly #folder: string;
  readonly #random: Random;
  readonly #faults: Faults;
  readonly #onUnstopped: (what: string) => void;
  readonly #loops: Promise<void>[];
  readonly #closing = new AbortController();
  /** How many processes there were. */
  started = 0;
  /** What workers have said went wrong, and how often. */
  readonly reports = new Map<string, number>();

  /**
   * @param proxied how many of them are connected through a proxy
   * @param folder where their jobs write notes
   * @param onUnstopped told of a worker that does not stop
   */
  static async start(
    url: string,
    schema: string,
    count: number,
    proxied: number,
    folder: string,
    random: Random,
    faults: Faults,
    onUnstopped: (what: string) => void,
  ): Promise<Workers> {
    const slots: Slot[] = [];
    for (let k = 0; k < count; k++) slots.push(new Slot(k < proxied ? await LossyProxy.start(url) : undefined));
    return new Workers(url, schema, slots, folder, random, faults, onUnstopped);
  }

  private constructor(
    url: string,
    schema: string,
    slots: readonly Slot[],
    folder: string,
    random: Random,
    faults: Faults,
    onUnstopped: (what: string) => void,
  ) {
    this.#url = url;
    this.#schema = schema;
    this.slots = slots;
    this.#folder = folder;
    this.#random = random;
    this.#faults = faults;
    this.#onUnstopped = onUnstopped;
    process.on("exit", () => {
      for (const { member } of slots) member?.process.kill("SIGKILL");
    });
    this.#loops = slots.map((slot) => this.#keep(slot));
  }

  /** Whether one of them could run any job at present. */
  get able(): boolean {
    return this.slots.some(
      ({ member, disturbed }) =>
        member?.ready !== undefined &&
        clock() - member.ready > SETTLED &&
        !member.older &&
        !member.stopping &&
        disturbed === 0,
    );
  }

  /** As if its machine had failed. */
  kill(slot: Slot): void {
    slot.member?.process.kill("SIGKILL");
  }

  /** Stops it in its own way, with the grace that it was started with. Settles when it has ended. */
  async stop({ member, fault }: Slot): Promise<void> {
    if (member === undefined || member.stopping) return;
    member.stopping = true;
    const over = this.#faults.begin(member.name);
    member.process.kill("SIGTERM");
    const late = setTimeout(() => {
      this.#onUnstopped(
        `worker ${member.name} has not stopped ${LONGEST_STOP / 1000} s after SIGTERM, with --grace ${member.grace}${fault === undefined ? "" : `; before, the network ${fault}`}`,
      );
      member.process.kill("SIGKILL");
    }, LONGEST_STOP);
    await member.exited;
    clearTimeout(late);
    over();
  }

  /** Stops them all, and starts no more. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.slots.map((slot) => this.stop(slot)));
    await Promise.all(this.#loops);
    for (const { proxy } of this.slots) proxy?.close();
  }

  async #keep(slot: Slot): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      const member = this.#startOne(slot);
      slot.member = member;
      await member.exited;
      slot.member = undefined;
      // What it held is nobody's from now on.
      this.#faults.begin(member.name)();
      await delay(this.#random.below(LATEST_REPLACEMENT), undefined, { signal }).catch(() => {});
    }
  }

  #startOne({ proxy, older }: Slot): Member {
    const name = `w${++this.started}`;
    const grace = this.#random.of(GRACES);
    const modules = older ? OLDER : NEWER;
    const args = ["worker", "--modules", modules, "--threads", "2", "--schema", this.#schema, "--grace", String(grace)];
    const child = spawn(process.execPath, [BIN, ...args], {
      env: { ...process.env, HEDDLE_URL: proxy?.url ?? this.#url, [WORKER]: name },
      stdio: ["ignore", "pipe", "pipe"],
      cwd: this.#folder,
    });
    const member: Member = { name, process: child, older, grace, exited: once(child, "exit"), stopping: false };
    createInterface(child.stdout).on("line", (line) => {
      if (line.includes("is ready")) member.ready = clock();
    });
    createInterface(child.stderr).on("line", (line) => {
      // Not the lines of a stack.
      if (!/^\w/.test(line)) return;
      const text = line.replace(/\d+/g, "N").slice(0, 150);
      this.reports.set(text, (this.reports.get(text) ?? 0) + 1);
    });
    return member;
  }
}
