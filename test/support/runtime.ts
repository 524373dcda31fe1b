/** Which runtime the tests run on, for what only some of them can do. */

export const BUN = process.versions.bun !== undefined;
export const DENO = process.versions.deno !== undefined;
