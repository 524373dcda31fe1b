/** Text that PostgreSQL can keep as it is: it has no NUL there, and no half of a surrogate pair. */

/** A half of a surrogate pair without the other one. */
const LONE = /\p{Surrogate}/u;

/** @param what such as "name" @throws TypeError naming it, the character and its place */
export function checkStorable(what: string, text: string): void {
  const nul = text.indexOf("\0");
  const place = nul >= 0 ? nul : text.search(LONE);
  if (place < 0) return;
  const code = text.charCodeAt(place).toString(16).padStart(4, "0");
  const why = nul >= 0 ? "NUL" : "half of a surrogate pair, and the other half is missing";
  throw new TypeError(
    `${what} must be text that PostgreSQL can store, but its character ${place + 1} is "\\u${code}" (${why}); leave it out`,
  );
}
