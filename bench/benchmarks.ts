/** What `npm run bench` measures, in this order. */
import { POOL_NAMES } from "./pools/pools.js";

/** A workload of native.cpp that is compared with a row of heddle's. */
export interface NativePeer {
  readonly peer: string;
  readonly row: string;
  readonly workload: readonly [peer: string, workload: string];
}

export interface Benchmark {
  readonly letter: string;
  readonly name: string;
  readonly about: string;
  readonly pools: readonly string[];
  readonly native: readonly NativePeer[];
  /** Options of node that it needs. */
  readonly flags: readonly string[];
  /** In how many fresh processes it runs; those that can be measured only once in a process run in several. */
  readonly processes: number;
}

const ONE_EACH = 7;

const tbb = (row: string, kind: "tbb-group" | "tbb-flow", workload: string): NativePeer => ({
  peer: "oneTBB",
  row,
  workload: [kind, workload],
});
const openmp = (row: string, workload: string): NativePeer => ({ peer: "OpenMP", row, workload: ["openmp", workload] });

/** The native peers of a graph, which oneTBB can run apart from building it. */
const nativeGraph = (name: string): NativePeer[] => [
  tbb(`${name}, built and run`, "tbb-flow", name),
  openmp(`${name}, built and run`, name),
  tbb(`${name}, run only`, "tbb-flow", `${name}-run`),
];

const nativeTasks = (name: string): NativePeer[] => [tbb(name, "tbb-group", name), openmp(name, name)];

function benchmark(letter: string, name: string, about: string, more: Partial<Benchmark> = {}): Benchmark {
  return { letter, name, about, pools: [], native: [], flags: [], processes: 1, ...more };
}

export const BENCHMARKS: readonly Benchmark[] = [
  benchmark("a", "independent", "1M empty jobs through a group", { native: nativeTasks("independent") }),
  benchmark("b", "handles", "1M empty jobs with a handle each", {
    native: [tbb("handles", "tbb-group", "independent"), tbb("handles, all kept", "tbb-group", "independent")],
  }),
  benchmark("c", "chain", "100,000 jobs, each after the one before", {
    pools: POOL_NAMES,
    native: nativeGraph("chain"),
  }),
  benchmark("d", "wavefront", "500×500 jobs, each after its left and upper neighbour", {
    pools: POOL_NAMES,
    native: nativeGraph("wavefront"),
  }),
  benchmark("e", "fork-join", "fib(27), each call spawning one job and waiting for it", {
    native: nativeTasks("fork-join"),
  }),
  benchmark("f", "fan", "one job, 100,000 after it, one after those", {
    pools: POOL_NAMES,
    native: nativeGraph("fan"),
  }),
  benchmark("g", "random-dag", "100,000 jobs with up to 3 prerequisites each", {
    pools: POOL_NAMES,
    native: nativeGraph("random-dag"),
  }),
  benchmark("h", "awaited", "200,000 awaited runs in flight", { pools: POOL_NAMES }),
  benchmark("h", "round-trip-hot", "5000 awaited runs, one after the other", { pools: POOL_NAMES }),
  benchmark("h", "round-trip-parked", "200 awaited runs with a pause of 20 ms before each", { pools: POOL_NAMES }),
  benchmark("i", "flights", "the flights example"),
  benchmark("j", "start-up", "from creating to the first result", { pools: POOL_NAMES, processes: ONE_EACH }),
  benchmark("k", "memory", "1M jobs that live", { flags: ["--expose-gc"], processes: ONE_EACH }),
  // A young generation of its usual greatest size from the start, so that no collection falls into a measurement.
  benchmark("k", "heap", "jobs of a group", { flags: ["--expose-gc", "--min-semi-space-size=16"] }),
  benchmark("k", "gc-share", "1M empty jobs with a handle each, all kept"),
  benchmark("l", "growth", "empty jobs through a group, more and more"),
];
