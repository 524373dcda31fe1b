/** One way to build the graph, for a job system on one machine and for a cluster. */
import { statSync } from "node:fs";
import type { Job, JobSystem } from "heddle";
import type { ClusterJob, Graph } from "heddle/cluster";
import type { Summary } from "../flights/summary.js";
import * as work from "./work.js";

export const WORK = new URL("./work.js", import.meta.url);

/** The summary of a file, from its parts, which are joined two by two. */
export function localGraph(jobs: JobSystem, file: string, parts: number): Job<Summary> {
  const read = cuts(file, parts).map(([from, to]) => jobs.spawn(work.readPart, file, from, to));
  const all = pairwise(read, (a, b) => jobs.spawn(work.join, a, b).after(a, b));
  return jobs.spawn(work.summarize, all).after(all);
}

/** The same on a cluster, where a job runs after those that are its arguments. */
export function clusterGraph(graph: Graph, file: string, parts: number): ClusterJob<Summary> {
  const read = cuts(file, parts).map(([from, to]) => graph.spawn(work.readPart, file, from, to));
  return graph.spawn(
    work.summarize,
    pairwise(read, (a, b) => graph.spawn(work.join, a, b)),
  );
}

function cuts(file: string, parts: number): [from: number, to: number][] {
  const { size } = statSync(file);
  const at = (part: number) => Math.floor((size * part) / parts);
  return Array.from({ length: parts }, (_, part) => [at(part), at(part + 1)]);
}

function pairwise<T>(all: readonly T[], join: (a: T, b: T) => T): T {
  if (all.length === 1) return all[0];
  const joined: T[] = [];
  for (let k = 0; k < all.length; k += 2) joined.push(k + 1 < all.length ? join(all[k], all[k + 1]) : all[k]);
  return pairwise(joined, join);
}
