/** Notices the first call of a function of the host that leaves no other trace. */

/**
 * Puts another function in a method's place, which calls it as well. Where something else has taken its place meanwhile, what
 * takes it away leaves that alone.
 *
 * @param called called with `this` before the method is
 * @returns how to put the method back; undefined if the object cannot be changed
 */
export function tap(object: object, name: string, called: (self: unknown) => void): (() => void) | undefined {
  const before = Object.getOwnPropertyDescriptor(object, name);
  const method = before?.value as (...args: unknown[]) => unknown;
  const tapped = {
    [name](this: unknown, ...args: unknown[]): unknown {
      called(this);
      return Reflect.apply(method, this, args);
    },
  }[name];
  if (!Reflect.defineProperty(object, name, { ...before, value: tapped })) return undefined;
  return () => {
    if (Object.getOwnPropertyDescriptor(object, name)?.value === tapped) {
      Object.defineProperty(object, name, before as PropertyDescriptor);
    }
  };
}

/** Calls `tripped` when one of these methods is called for the first time; they are put back before that. At once, if that could not be noticed. */
export function trip(object: object, names: readonly string[], tripped: () => void): void {
  const present = names.filter((name) => Object.hasOwn(object, name));
  const putBack = present.map((name) =>
    tap(object, name, () => {
      for (const method of putBack) method?.();
      tripped();
    }),
  );
  if (putBack.includes(undefined)) tripped();
}
