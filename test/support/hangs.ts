/** Against tests that hang, as a job or a wake that is lost would make them: they fail instead, and so does a file that does not end. */
import { after } from "node:test";

/** Options of a test that could hang. It fails after this time, in milliseconds, which no test takes on the busiest machine. */
export const HANGS = { timeout: 480_000 };
/** How long a test waits for one condition or one program, in milliseconds: shorter, so that it can say what it was. */
export const PATIENCE = HANGS.timeout / 4;
/** How long the process may go on after its last test, in milliseconds. */
const LONGEST_END = 60_000;

// A job that loops, or a system that is not shut down, would keep it alive for ever.
after(() => {
  const end = () => {
    console.error("the tests are over, but something keeps their process alive");
    process.exit(1);
  };
  setTimeout(end, LONGEST_END).unref();
});

/** Goes round the event loop until `condition` holds. @throws an Error that quotes it if that is in vain */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + PATIENCE;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`waited in vain until ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** What `promise` gives. @throws an Error that names `what` it is, if it does not settle */
export async function settled<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited in vain for ${what}`)), PATIENCE);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
