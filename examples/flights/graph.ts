/**
 * The graph of jobs:
 *
 *   parse part ─ count part ─┐                ┌─ scatter part ─┐              ┌─ sort hour ─┐
 *   parse part ─ count part ─┼─ place hours ──┼─ scatter part ─┼─ (all parts) ┼─ sort hour ─┼─ merge
 *   …                        ┘                └─ …             ┘              └─ … (24)     ┘
 */
import type { Job, JobSystem } from "heddle";
import { HOURS, type Summary } from "./summary.js";
import { makeTables } from "./tables.js";
import * as work from "./work.js";

/** Parts for each thread: enough that a slow part holds nobody up. */
const PARTS_PER_THREAD = 4;

/** The module of the job functions. */
export const WORK = new URL("./work.js", import.meta.url);

/** Links the whole graph; nothing runs before the returned job is awaited. */
export function summaryGraph(jobs: JobSystem, file: Uint8Array): { summary: Job<Summary>; steps: Job<unknown>[] } {
  const tables = makeTables(file, jobs.threads * PARTS_PER_THREAD);
  const parts = Array.from({ length: tables.parts }, (_, part) => part);
  const parsed = parts.map((part) => jobs.spawn(work.parsePart, tables, part));
  const counted = parts.map((part) => parsed[part].then(jobs.spawn(work.countPart, tables, part)));
  const placed = jobs.spawn(work.placeHours, tables).after(...counted);
  const scattered = parts.map((part) => placed.then(jobs.spawn(work.scatterPart, tables, part)));
  const sorted = Array.from({ length: HOURS }, (_, hour) =>
    jobs.spawn(work.sortHour, tables, hour).after(...scattered),
  );
  const summary = jobs.spawn(work.merge, tables).after(...sorted);
  return { summary, steps: [...parsed, ...counted, placed, ...scattered, ...sorted, summary] };
}
