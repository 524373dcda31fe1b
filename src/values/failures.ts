/**
 * Failures in shared memory: what a job threw (see thrown.ts), the name of the job function, and whether the job
 * itself failed or something before it. A failure may be read more than once, so nothing in it goes by reference.
 */
import type { Payloads } from "../memory/payloads.js";
import type { Cloner } from "./clone.js";
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
export function storeFailure(payloads: Payloads, cloner: Cloner, failure: Failure): number {
  return payloads.store(failureToBytes(cloner, failure)) || DETAILS_LOST;
}

/** A failure as bytes. */
export function failureToBytes(cloner: Cloner, failure: Failure): Uint8Array {
  try {
    return cloner.serialize(portable(failure, cloner));
  } catch {
    // What was thrown is deeper than the stack, or too large.
    return cloner.serialize({ kind: "lost", job: failure.job } satisfies Failure);
  }
}

/** A failure from its bytes. @param job the name of the job that failed, as far as is known */
export function failureFromBytes(cloner: Cloner, bytes: Uint8Array, job: string): Failure {
  try {
    return revived(cloner.deserialize(bytes) as Failure, cloner);
  } catch {
    // Deeper than the stack of this thread, which may be smaller than that of the other.
    return { kind: "lost", job };
  }
}

/** Reads a failure back; the payload stays. */
export function loadFailure(payloads: Payloads, cloner: Cloner, block: number, job: string): Failure {
  if (block === DETAILS_LOST) return { kind: "lost", job };
  return failureFromBytes(cloner, payloads.bytes(block), job);
}

/** The failure at the beginning of a chain of dependencies. */
export function firstOf(failure: Failure): Failure {
  return failure.kind === "dependency" ? firstOf(failure.first) : failure;
}

function portable(failure: Failure, cloner: Cloner): Failure {
  if (failure.kind === "dependency") return { ...failure, first: portable(failure.first, cloner) };
  if (failure.kind === "threw") return { ...failure, error: pack(failure.error, cloner) };
  if (failure.kind === "cancelled") return { ...failure, cause: pack(failure.cause, cloner) };
  return failure;
}

function revived(failure: Failure, cloner: Cloner): Failure {
  if (failure.kind === "dependency") return { ...failure, first: revived(failure.first, cloner) };
  if (failure.kind === "threw") return { ...failure, error: unpack(failure.error as Packed, cloner) };
  if (failure.kind === "cancelled") return { ...failure, cause: unpack(failure.cause as Packed, cloner) };
  return failure;
}
