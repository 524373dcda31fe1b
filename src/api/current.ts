/** The system that executes jobs on this thread at present, for `heddle/job`. */
import { setUnprotected } from "../platform/host.js";
import { VERSION } from "../version.js";
import type { Engine } from "./engine.js";

let current: Engine | undefined;

setUnprotected(() => current !== undefined && current.context.running !== 0);

/** The version of another copy of heddle that executes a job on this thread. */
let otherVersion: () => string | undefined = () => undefined;

/** @param version gives the version of another copy of heddle that executes a job on this thread, if there is any */
export function currentOfOthers(version: () => string | undefined): void {
  otherVersion = version;
}

/** The engines of the systems that this thread has created. */
const mainEngines = new Set<Engine>();

export function addMainEngine(engine: Engine): void {
  mainEngines.add(engine);
}

export function removeMainEngine(engine: Engine): void {
  mainEngines.delete(engine);
}

/**
 * The engine whose jobs this thread is executing, if there is one. On the creating thread, an asynchronous job goes on
 * when none is being executed: then it is the engine with suspended jobs here, if no other one has any.
 */
export function engineHere(): Engine | undefined {
  if (current !== undefined || mainEngines.size === 0) return current;
  const suspended = [...mainEngines].filter((engine) => engine.context.suspended > 0);
  return suspended.length === 1 ? suspended[0] : undefined;
}

/** @returns the one before */
export function setCurrent(engine: Engine | undefined): Engine | undefined {
  const before = current;
  current = engine;
  return before;
}

/** @throws Error outside a job */
export function currentEngine(): Engine {
  const engine = current ?? engineHere();
  if (engine === undefined) {
    const other = otherVersion();
    if (other !== undefined) {
      throw new Error(
        `"heddle/job" is of heddle ${VERSION}, and the system that runs this job of heddle ${other}; install one version: npm ls heddle shows who brings which`,
      );
    }
    throw new Error('"heddle/job" works only inside a job; elsewhere, use the JobSystem that you created');
  }
  return engine;
}
