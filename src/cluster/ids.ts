/**
 * The ids of runs and of their jobs: a run's is a random UUID whose last 32 bits are 0, those of its jobs have their
 * number there, from 1. So each tells the other without being looked up, and a job's is the same in every attempt.
 */
import { randomUUID } from "node:crypto";

/** Hexadecimal digits of a job's number. */
const DIGITS = 8;
const RUN_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{4}0{8}$/;

export function newRunId(): string {
  return randomUUID().slice(0, -DIGITS) + "0".repeat(DIGITS);
}

export function isRunId(id: unknown): id is string {
  return typeof id === "string" && RUN_ID.test(id);
}

/** The id of a run's job. @param job its number, from 0 */
export function jobIdOf(run: string, job: number): string {
  return run.slice(0, -DIGITS) + (job + 1).toString(16).padStart(DIGITS, "0");
}

/** The run that a job belongs to, and its number in it. */
export function placeOf(id: string): { run: string; job: number } {
  return {
    run: id.slice(0, -DIGITS) + "0".repeat(DIGITS),
    job: Number.parseInt(id.slice(-DIGITS), 16) - 1,
  };
}
