/** Tells the processor that this thread spins, where the language has a way to (`Atomics.pause`, ECMAScript 2027). */
export const relax: () => void = (Atomics as { pause?: () => void }).pause ?? (() => {});
