/**
 * The lock of an embedded database's folder: two processes that open one lose each other's runs.
 *
 * A lock is a file beside the folder that names its owner's process, and has a number in its name. Who wants the lock makes
 * the file of the next number, which only one can, and then looks whether another owner lives: of two that do so at once, at least
 * one sees the other and withdraws. So a lock whose owner is gone is taken over without a moment when there is none.
 */

import { randomUUID } from "node:crypto";
import { linkSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { basename, dirname, join, resolve } from "node:path";

interface Owner {
  readonly pid: number;
  /** When the process started, as its system counts; "" where that is not told. Process numbers are used again. */
  readonly started: string;
  readonly host: string;
}

/** Locks a folder for this process. @returns how to unlock it @throws Error that names the owner */
export function lockDirectory(directory: string): () => void {
  const path = resolve(directory);
  const folder = dirname(path);
  const begin = `${basename(path)}.lock.`;
  mkdirSync(folder, { recursive: true });
  for (;;) {
    const before = numbers(folder, begin);
    for (const number of before) {
      const owner = ownerOf(join(folder, begin + number));
      if (owner !== undefined) throw inUse(directory, owner);
    }
    const number = 1 + Math.max(0, ...before);
    const own = join(folder, begin + number);
    if (!create(own)) continue;
    const others = numbers(folder, begin)
      .filter((each) => each !== number)
      .map((each) => join(folder, begin + each));
    if (others.some((other) => ownerOf(other) !== undefined)) {
      rmSync(own, { force: true });
      continue;
    }
    // Nobody makes these anew: the next number is above this lock's.
    for (const other of others) rmSync(other, { force: true });
    return () => rmSync(own, { force: true });
  }
}

/** The numbers of the locks that there are. */
function numbers(folder: string, begin: string): number[] {
  return readdirSync(folder)
    .filter((name) => name.startsWith(begin) && /^\d+$/.test(name.slice(begin.length)))
    .map((name) => Number(name.slice(begin.length)));
}

/** Makes a lock with all that is in it at once. @returns false if there is one of this number */
function create(path: string): boolean {
  const owner: Owner = { pid: process.pid, started: startOf(process.pid), host: hostname() };
  const draft = `${path}.${randomUUID()}`;
  writeFileSync(draft, JSON.stringify(owner));
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

/** @returns undefined if there is no lock, or its owner is gone */
function ownerOf(path: string): Owner | undefined {
  let owner: Owner;
  try {
    owner = JSON.parse(readFileSync(path, "utf8")) as Owner;
  } catch {
    return undefined;
  }
  if (owner.host !== hostname()) return owner;
  return lives(owner.pid) && startOf(owner.pid) === owner.started ? owner : undefined;
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It lives, and is another user's.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** When a process started, as Linux tells. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // Its name, in parentheses, may have any characters; the time is the 20th field after it.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return "";
  }
}

function inUse(directory: string, { pid, host }: Owner): Error {
  const elsewhere =
    host === hostname() ? "" : ` of ${host} (if that is gone for good, delete the .lock file beside the folder)`;
  const who = pid === process.pid && elsewhere === "" ? "by this process already" : `by process ${pid}${elsewhere}`;
  return new Error(
    `the embedded database in ${directory} is used ${who}, and it serves one at a time; close that cluster first, or give all of them the url of a PostgreSQL server`,
  );
}
