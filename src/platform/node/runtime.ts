/** Which runtime this is: heddle is made for Node, and others do most of what Node does. */

const { bun, deno } = process.versions;

/** Whether it is Deno. */
export const isDeno = deno !== undefined;

/** What another runtime than Node is called. */
export const otherRuntime: string | undefined =
  bun !== undefined ? `Bun ${bun}` : deno !== undefined ? `Deno ${deno}` : undefined;

/** What this runtime is, if it is not Node 20.19 or newer. */
export function otherThanNode(): string | undefined {
  if (otherRuntime !== undefined) return otherRuntime;
  const { node } = process.versions;
  const [major, minor] = node.split(".").map(Number);
  return major < 20 || (major === 20 && minor < 19) ? `Node ${node}` : undefined;
}
