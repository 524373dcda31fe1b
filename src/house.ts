/**
 * One heddle for all: where a thread loads this package more than once, as a bundle, a nested installation or CommonJS beside ESM
 * do, the copy that was loaded first serves all of the same version. So a job finds the system that runs it, and a class is the same
 * wherever it comes from.
 *
 * Copies of different versions do not know each other's memory. Each serves by itself; what the code of one asks of a system of the
 * other is refused by name (api/current.ts).
 */
import { currentOfOthers, engineHere } from "./api/current.js";
import * as main from "./index.js";
import * as job from "./job.js";
import { addHome } from "./program.js";
import { VERSION } from "./version.js";
import { serve } from "./worker.js";

interface House {
  readonly version: string;
  readonly main: typeof main;
  readonly job: typeof job;
  readonly serve: typeof serve;
  /** Whether a system of this version executes a job on this thread. */
  readonly isRunning: () => boolean;
  /** A copy says where its files are. */
  readonly addHome: (url: string | undefined) => void;
}

const own: House = { version: VERSION, main, job, serve, isRunning: () => engineHere() !== undefined, addHome };

const [MAJOR] = VERSION.split(".");
const ALL = Symbol.for(`heddle ${MAJOR}`);
const global = globalThis as { [ALL]?: Map<string, House> };
global[ALL] ??= new Map();
const all = global[ALL];
if (!all.has(VERSION)) all.set(VERSION, own);

export const house = all.get(VERSION) as House;
house.addHome(import.meta.url);

currentOfOthers(() => [...all.values()].find(({ version, isRunning }) => version !== VERSION && isRunning())?.version);
