/** Waiting for a promise, but not at any price. */
import { after } from "../platform/host.js";

/**
 * What `promise` gives. Leaves no timer and no listener behind.
 *
 * @param signal ends the waiting when it is aborted
 * @param limit the longest time to wait, in milliseconds, and the error after it
 * @throws the signal's reason, or that error
 */
export async function within<R>(
  promise: Promise<R>,
  signal: AbortSignal | undefined,
  limit?: { readonly milliseconds: number; late(): Error },
): Promise<R> {
  let cancel = () => {};
  let abort = () => {};
  const ended = new Promise<never>((_, reject) => {
    abort = () => reject(signal?.reason);
    if (limit !== undefined) cancel = after(limit.milliseconds, () => reject(limit.late()));
  });
  try {
    if (signal?.aborted) abort();
    signal?.addEventListener("abort", abort);
    return await Promise.race([ended, promise]);
  } finally {
    signal?.removeEventListener("abort", abort);
    cancel();
  }
}
