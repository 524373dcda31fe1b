/** Where the files lie that threads are started with: beside the entry points, and so beside this one, bundled or not. */

/** Where copies of this version lie, this one or others that this one serves (house.ts). */
const homes: string[] = import.meta.url ? [import.meta.url] : [];

/** @param url of a file beside the entry points; a bundler may have left nothing of it */
export function addHome(url: string | undefined): void {
  if (url && !homes.includes(url)) homes.push(url);
}

/**
 * The address of such a file.
 *
 * @param isThere whether there is a file at an address
 * @throws Error where there is none
 */
export function programAt(file: string, isThere: (url: URL) => boolean): URL {
  const found = homes.map((home) => new URL(file, home)).find(isThere);
  if (found !== undefined) return found;
  throw new Error(
    `heddle does not find its own file ${file}${homes.length === 0 ? "" : ` beside ${homes.join(", ")}`}, as a bundler has taken the rest elsewhere; keep heddle out of the bundle, or give JobSystem.create the option worker, with a file of your own that calls serve() of heddle/worker`,
  );
}
