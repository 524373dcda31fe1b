/** A module that is never loaded, also on the main thread. */
await new Promise(() => {});

export function nothing(): void {}
