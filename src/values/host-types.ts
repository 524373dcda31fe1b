/** What the language alone cannot tell of an object. Node, Bun and Deno say it; a browser does not say all of it. */
const types = (globalThis as { process?: Partial<NodeJS.Process> }).process?.getBuiltinModule?.("node:util")?.types;

/** Whether it is a proxy. In a browser nothing is, and a proxy is taken for what it shows. */
export const isProxy: (value: unknown) => boolean = types?.isProxy ?? (() => false);

/** Whether it was made as an error, of whatever realm and whatever it has become. */
export const isNativeError: (value: unknown) => value is Error =
  types?.isNativeError ??
  (Error as { isError?: (value: unknown) => value is Error }).isError ??
  ((value): value is Error => value instanceof Error);
