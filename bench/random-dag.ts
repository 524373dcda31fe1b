/** A random directed acyclic graph, the same as in native.cpp. */

const REACH = 1000;
const PREREQUISITES = 3;

/**
 * The prerequisites of each job: up to three of the thousand jobs before it, chosen by a linear congruential
 * generator; one chosen twice counts once. There is one job more at the end, after all that nobody else comes after.
 */
export function randomDag(count: number): number[][] {
  const prerequisites: number[][] = Array.from({ length: count + 1 }, () => []);
  const followed = new Uint8Array(count);
  let state = 1;
  for (let k = PREREQUISITES; k < count; k++) {
    const low = Math.max(0, k - REACH);
    for (let n = 0; n < PREREQUISITES; n++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      const first = low + ((state >>> 8) % (k - low));
      if (!prerequisites[k].includes(first)) prerequisites[k].push(first);
      followed[first] = 1;
    }
  }
  for (let k = 0; k < count; k++) if (followed[k] === 0) prerequisites[count].push(k);
  return prerequisites;
}
