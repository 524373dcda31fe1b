/** Which runtime the tests run on, for what only some of them can do. */

export const BUN = process.versions.bun !== undefined;
export const DENO = process.versions.deno !== undefined;

/** What it says of a proxy that was revoked. */
export const REVOKED = BUN ? /has already been revoked/ : /has been revoked/;
