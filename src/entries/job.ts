/** `heddle/job`, as it is bundled; its types are those of job.ts. */
import { house } from "../house.js";

export const { group, isCancelled, run, signal, spawn } = house.job;
