/** Sleeping until shared memory changes. */

/** How often to look where the browser has no `Atomics.waitAsync`, in milliseconds. */
const LOOK_EVERY = 1;

const { setTimeout } = globalThis;

/** Whether this thread may block: a page's main thread may not, nor may that of a service worker. */
export const mayBlock: boolean = canBlock();

function canBlock(): boolean {
  try {
    // Sleeps on a word that has another value: it returns at once, or throws where a thread must not block.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1);
    return true;
  } catch {
    return false;
  }
}

/** What `Atomics.waitAsync` gives. */
type Waiting = ReturnType<typeof Atomics.waitAsync>;

/** As `Atomics.waitAsync`, also where there is none. */
export const waitAsync: (words: Int32Array, word: number, value: number) => Waiting = Atomics.waitAsync ?? look;

function look(words: Int32Array, word: number, value: number): Waiting {
  // A look is all that a thread can do here: whoever changes the word wakes nobody.
  if (Atomics.load(words, word) !== value) return { async: false, value: "not-equal" };
  const changed = new Promise<"ok">((resolve) => {
    const lookAgain = () => {
      if (Atomics.load(words, word) !== value) resolve("ok");
      else setTimeout(lookAgain, LOOK_EVERY);
    };
    setTimeout(lookAgain, LOOK_EVERY);
  });
  return { async: true, value: changed };
}
