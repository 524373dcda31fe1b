/** The method that `console.log` and debuggers of Node, Deno and Bun call for what they show of an object. */
export const INSPECT: unique symbol = Symbol.for("nodejs.util.inspect.custom") as never;
