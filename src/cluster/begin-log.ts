/**
 * Which of a worker's jobs have begun, in a file that outlives the process: a note in the database for each job as it begins
 * would cost far more than most jobs. When a process is gone, another one on the same machine reads its file. When the
 * machine is gone, nobody knows: then what was noted in the database (noting.ts) counts as begun.
 *
 * A record of 64 bytes for each job: its attempt, as text, and in the last byte whether it has begun, which the thread
 * writes that runs it.
 */
import { createHash } from "node:crypto";
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";

const RECORD = 64;
const BEGUN_AT = RECORD - 1;
/** After so many milliseconds, whoever had an interest in the file of a process that is gone has read it. */
const OLD = 60_000;

/** An attempt, as it is written there. */
export function attemptKey({ id, retryCount }: { readonly id: string; readonly retryCount: number }): string {
  return `${id}:${retryCount}`;
}

/** Where a job's record is. */
export interface Mark {
  readonly file: string;
  readonly position: number;
}

/** The log of this process's worker. */
export class BeginLog {
  readonly #file: string;
  readonly #fd: number;
  readonly #free: number[] = [];
  #end = 0;

  /** @returns undefined where no file can be written */
  static open(): BeginLog | undefined {
    try {
      mkdirSync(folder(), { recursive: true, mode: 0o700 });
      return new BeginLog();
    } catch {
      return undefined;
    }
  }

  private constructor() {
    const own = `${PLACE}-${process.pid}-`;
    this.#file = join(folder(), `${own}${process.hrtime.bigint()}`);
    this.#fd = openSync(this.#file, "wx", 0o600);
  }

  /** @param attempt as `attemptKey` gives it */
  add(attempt: string): Mark {
    const position = this.#free.pop() ?? this.#end;
    if (position === this.#end) this.#end += RECORD;
    writeSync(this.#fd, Buffer.alloc(RECORD, 0).fill(attempt, 0, attempt.length), 0, RECORD, position);
    return { file: this.#file, position };
  }

  /** What came of the job is written, or another worker may have it: from now on the file says nothing of it. */
  remove({ position }: Mark): void {
    writeSync(this.#fd, Buffer.alloc(RECORD), 0, RECORD, position);
    this.#free.push(position);
  }

  close(): void {
    closeSync(this.#fd);
    rmSync(this.#file, { force: true });
  }
}

const files = new Map<string, number>();
const BEGUN = Buffer.from([1]);

/** To be called on the thread that begins the job. */
export function markBegun({ file, position }: Mark): void {
  let fd = files.get(file);
  if (fd === undefined) {
    fd = openSync(file, "r+");
    files.set(file, fd);
  }
  writeSync(fd, BEGUN, 0, 1, position + BEGUN_AT);
}

/** What processes of this machine had in hand when they came to an end. */
export interface Remains {
  /** Attempts, as `attemptKey` gives them. */
  readonly begun: readonly string[];
  readonly notBegun: readonly string[];
}

export function remains(): Remains {
  const begun: string[] = [];
  const notBegun: string[] = [];
  for (const name of namesIn(folder())) {
    const [place, pid] = name.split("-");
    if (place !== PLACE || isAlive(Number(pid))) continue;
    const file = join(folder(), name);
    try {
      const records = readFileSync(file);
      for (let at = 0; at + RECORD <= records.length; at += RECORD) {
        if (records[at] === 0) continue;
        const attempt = records.toString("latin1", at, records.indexOf(0, at));
        (records[at + BEGUN_AT] === 0 ? notBegun : begun).push(attempt);
      }
      if (Date.now() - statSync(file).mtimeMs > OLD) rmSync(file, { force: true });
    } catch {
      // Another process has just removed it.
    }
  }
  return { begun, notBegun };
}

function folder(): string {
  return join(tmpdir(), `heddle-${process.getuid?.() ?? "begun"}`);
}

/** Processes with the same have numbers that mean the same: containers may share a folder, and not those. */
const PLACE = createHash("sha256").update(`${hostname()} ${numberSpace()}`).digest("hex").slice(0, 16);

function numberSpace(): string {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return "";
  }
}

function namesIn(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}
