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
  lstatSync,
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

const ATTEMPT = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}:\d+$/;

/** Where a job's record is: the file's descriptor, which all threads of the process share, and a position in it. */
export interface Mark {
  readonly file: number;
  readonly position: number;
}

/** The log of this process's worker. */
export class BeginLog {
  readonly #path: string;
  readonly #file: number;
  readonly #free: number[] = [];
  #end = 0;
  /** It can't be written any more. */
  #broken = false;

  /** @returns undefined where no file can be written */
  static open(): BeginLog | undefined {
    try {
      mkdirSync(folder(), { recursive: true, mode: 0o700 });
      return isOurs(folder()) ? new BeginLog() : undefined;
    } catch {
      return undefined;
    }
  }

  private constructor() {
    this.#path = join(folder(), `${PLACE}-${process.pid}-${process.hrtime.bigint()}`);
    this.#file = openSync(this.#path, "wx", 0o600);
  }

  /** @param attempt as `attemptKey` gives it @returns undefined where it can't be written */
  add(attempt: string): Mark | undefined {
    const position = this.#free.pop() ?? this.#end;
    if (position === this.#end) this.#end += RECORD;
    this.#write(attempt, position);
    return this.#broken ? undefined : { file: this.#file, position };
  }

  /** What came of the job is written, or another worker may have it: from now on the file says nothing of it. */
  remove({ position }: Mark): void {
    this.#write("", position);
    this.#free.push(position);
  }

  /** To be called when no thread writes to it any more. */
  close(): void {
    // The number of a closed file may be another file's soon.
    this.#broken = true;
    closeSync(this.#file);
    rmSync(this.#path, { force: true });
  }

  #write(text: string, position: number): void {
    if (this.#broken) return;
    const record = Buffer.alloc(RECORD);
    record.write(text, "latin1");
    try {
      writeSync(this.#file, record, 0, RECORD, position);
    } catch {
      // The disk is full, perhaps. Without a file nobody knows what has begun; with a wrong one, somebody would believe it.
      this.#broken = true;
      rmSync(this.#path, { force: true });
    }
  }
}

const BEGUN = Buffer.from([1]);

/** To be called on the thread that begins the job. */
export function markBegun({ file, position }: Mark): void {
  writeSync(file, BEGUN, 0, 1, position + BEGUN_AT);
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
  if (!isOurs(folder())) return { begun, notBegun };
  for (const name of namesIn(folder())) {
    const [place, pid] = name.split("-");
    if (place !== PLACE || isAlive(Number(pid))) continue;
    const file = join(folder(), name);
    try {
      const records = readFileSync(file);
      for (let at = 0; at + RECORD <= records.length; at += RECORD) {
        const attempt = records.toString("latin1", at, records.indexOf(0, at));
        if (!ATTEMPT.test(attempt)) continue;
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

/** Whether nobody else could have made it, or can write to it: the folder above it is open to all. */
function isOurs(path: string): boolean {
  const { getuid } = process;
  if (getuid === undefined) return true;
  const stats = lstatSync(path, { throwIfNoEntry: false });
  return stats?.isDirectory() === true && stats.uid === getuid() && (stats.mode & 0o022) === 0;
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
