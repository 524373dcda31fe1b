/**
 * Failures in shared memory: what a job threw (see thrown.ts), the name of the job function, and whether the job
 * itself failed or something before it. A failure may be read more than once, so nothing in it goes by reference.
 */
import type { Payloads } from "../memory/payloads.js";
import { readText, writeText } from "../platform/host.js";
import { isInstance } from "./describe.js";
import { NewerFormatError } from "./newer-format.js";
import type { Serializer } from "./serializer.js";
import { type Packed, pack, unpack } from "./thrown.js";

/** Why a job failed. */
export type Failure =
  | { kind: "threw"; job: string; error: unknown }
  | { kind: "dependency"; job: string; first: Failure }
  | { kind: "shutdown"; job: string }
  | { kind: "cancelled"; job: string; started: boolean; cause: unknown; killed?: boolean }
  | { kind: "timeout"; job: string; timeout: number }
  | { kind: "crashed"; job: string; exitCode: number; reason: string; killed?: boolean }
  | { kind: "lost"; job: string };

/** In place of a payload's address: the failure's details did not fit into shared memory, or cannot be read. */
export const DETAILS_LOST = 1;

/** Stores a failure. @returns its payload, or DETAILS_LOST */
export function storeFailure(payloads: Payloads, cloner: Serializer, failure: Failure): number {
  return payloads.store(failureToBytes(cloner, failure)) || DETAILS_LOST;
}

/** The first byte of the bytes of a dependent job's failure: its name and the bytes of the first failure follow. */
const DEPENDENT = 1;
const NAME = 5;

/** The failure, as bytes, of a job that did not run, as one before it failed. @param first the bytes of that failure */
export function dependentToBytes(job: string, first: Uint8Array): Uint8Array {
  const length = 2 * job.length;
  const bytes = new Uint8Array(NAME + length + first.length);
  bytes[0] = DEPENDENT;
  viewOf(bytes).setUint32(1, length, true);
  writeText(bytes.subarray(NAME, NAME + length), job, false);
  bytes.set(first, NAME + length);
  return bytes;
}

/** Takes apart what `dependentToBytes` has made. @returns undefined for the bytes of another failure */
export function dependentFromBytes(bytes: Uint8Array): { job: string; first: Uint8Array } | undefined {
  if (bytes[0] !== DEPENDENT) return undefined;
  const end = NAME + viewOf(bytes).getUint32(1, true);
  return { job: readText(bytes.subarray(NAME, end), false), first: bytes.subarray(end) };
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

/** A failure as bytes. */
export function failureToBytes(cloner: Serializer, failure: Failure): Uint8Array {
  if (failure.kind === "dependency") return dependentToBytes(failure.job, failureToBytes(cloner, failure.first));
  try {
    return cloner.serialize(portable(failure, cloner));
  } catch {
    // What was thrown is deeper than the stack, or too large.
    return cloner.serialize({ kind: "lost", job: failure.job } satisfies Failure);
  }
}

/** A failure from its bytes. @param job the name of the job that failed, as far as is known */
export function failureFromBytes(cloner: Serializer, bytes: Uint8Array, job: string): Failure {
  const dependent = dependentFromBytes(bytes);
  if (dependent !== undefined) {
    return { kind: "dependency", job: dependent.job, first: failureFromBytes(cloner, dependent.first, job) };
  }
  try {
    return revived(cloner.deserialize(bytes) as Failure, cloner);
  } catch (error) {
    // Only updating helps, so it has to be said.
    if (isInstance(error, NewerFormatError)) return { kind: "threw", job, error };
    // Deeper than the stack of this thread, which may be smaller than that of the other.
    return { kind: "lost", job };
  }
}

/** The failure at the beginning of a chain of dependencies. */
export function firstOf(failure: Failure): Failure {
  return failure.kind === "dependency" ? firstOf(failure.first) : failure;
}

function portable(failure: Failure, cloner: Serializer): Failure {
  if (failure.kind === "threw") return { ...failure, error: pack(failure.error, cloner) };
  if (failure.kind === "cancelled") return { ...failure, cause: pack(failure.cause, cloner) };
  return failure;
}

function revived(failure: Failure, cloner: Serializer): Failure {
  // As earlier versions have stored it.
  if (failure.kind === "dependency") return { ...failure, first: revived(failure.first, cloner) };
  if (failure.kind === "threw") return { ...failure, error: unpack(failure.error as Packed, cloner) };
  if (failure.kind === "cancelled") return { ...failure, cause: unpack(failure.cause as Packed, cloner) };
  return failure;
}
