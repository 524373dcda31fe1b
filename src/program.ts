/** Where the files lie that threads are started with: beside the entry points, and so beside this one, bundled or not. */

/**
 * The address of such a file.
 *
 * @throws Error where a bundler has left nothing of `import.meta.url`
 */
export function programAt(file: string): URL {
  const here: string | undefined = import.meta.url;
  if (!here) {
    throw new Error(
      "heddle does not find its own files, as a bundler has left import.meta.url empty; keep heddle out of the bundle, or give JobSystem.create the option worker, with a file of your own that calls serve() of heddle/worker",
    );
  }
  return new URL(file, here);
}
