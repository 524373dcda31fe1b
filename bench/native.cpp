// The native peers: oneTBB and OpenMP tasks doing the work of work.ts. The bench compiles this file on demand.
//
//   native PEER WORKLOAD THREADS RUNS [COUNT]
//
// prints a JSON array of nanoseconds per job, one for each counted run, in the order in which they ran.
// COUNT is the number of jobs; for fork-join it is the n of fib. THREADS includes the one that submits.
//
//   tbb-group  independent, fork-join
//   tbb-flow   chain, wavefront, fan, random-dag (built and run); the same with -run (run only)
//   openmp     independent, fork-join, chain, wavefront, fan, random-dag (tasks run while others are still created)
//
// Freeing a graph is not timed. gcc's OpenMP runs an independent task at once, as a plain call, while 64 tasks
// per thread are queued; so its figure for independent tasks says little about its queue.

#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#ifndef NO_TBB
#include <oneapi/tbb/flow_graph.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>
#endif

namespace {

constexpr int WARM_UPS = 10;

using Clock = std::chrono::steady_clock;
using Nanoseconds = std::chrono::duration<double, std::nano>;

/// What one run took.
struct Sample {
  double nanoseconds;
  long jobs;
};

using Workload = std::function<Sample(int threads, long count)>;

/// The empty job, which no compiler may leave out.
inline void nothing() { asm volatile("" ::: "memory"); }

double since(Clock::time_point start) { return Nanoseconds(Clock::now() - start).count(); }

/// How many jobs fib(n) makes.
long spawns(long n) { return n < 2 ? 0 : 1 + spawns(n - 1) + spawns(n - 2); }

long side(long count) { return std::lround(std::sqrt(static_cast<double>(count))); }

/// A directed acyclic graph in which each job has up to three prerequisites; the last job comes after all.
/// The same numbers as in random-dag.ts.
struct RandomDag {
  std::vector<std::vector<int>> prerequisites;

  explicit RandomDag(long count) : prerequisites(count + 1) {
    constexpr long REACH = 1000;
    std::vector<bool> followed(count);
    uint32_t state = 1;
    for (long k = 3; k < count; k++) {
      const long low = std::max(0L, k - REACH);
      for (int n = 0; n < 3; n++) {
        state = state * 1664525u + 1013904223u;
        const int first = static_cast<int>(low + (state >> 8) % (k - low));
        auto& chosen = prerequisites[k];
        if (std::find(chosen.begin(), chosen.end(), first) == chosen.end()) chosen.push_back(first);
        followed[first] = true;
      }
    }
    for (long k = 0; k < count; k++) {
      if (!followed[k]) prerequisites[count].push_back(static_cast<int>(k));
    }
  }
};

const RandomDag& randomDag(long count) {
  static std::map<long, RandomDag> made;
  return made.try_emplace(count, count).first->second;
}

#ifndef NO_TBB

namespace tbb_group {

using oneapi::tbb::task_group;

Sample independent(long count) {
  const auto start = Clock::now();
  task_group group;
  for (long k = 0; k < count; k++) group.run([] { nothing(); });
  group.wait();
  return {since(start), count};
}

long fib(long n) {
  if (n < 2) return n;
  long a;
  task_group group;
  group.run([&a, n] { a = fib(n - 1); });
  const long b = fib(n - 2);
  group.wait();
  return a + b;
}

Sample forkJoin(long n) {
  const auto start = Clock::now();
  volatile long result = fib(n);
  (void)result;
  return {since(start), spawns(n)};
}

}  // namespace tbb_group

namespace tbb_flow {

using oneapi::tbb::flow::continue_msg;
using oneapi::tbb::flow::continue_node;
using oneapi::tbb::flow::graph;
using oneapi::tbb::flow::make_edge;

/// A graph of empty jobs.
struct Jobs {
  graph all;
  std::deque<continue_node<continue_msg>> nodes;

  long add() {
    nodes.emplace_back(all, [](const continue_msg&) { nothing(); });
    return static_cast<long>(nodes.size()) - 1;
  }
  void link(long before, long after) { make_edge(nodes[before], nodes[after]); }
  void start(long job) { nodes[job].try_put(continue_msg()); }
};

/// Builds a graph. @returns how many jobs at its beginning have no prerequisite
using Builder = long (*)(Jobs&, long count);

long chain(Jobs& jobs, long count) {
  long last = jobs.add();
  for (long k = 1; k < count; k++) {
    const long next = jobs.add();
    jobs.link(last, next);
    last = next;
  }
  return 1;
}

long wavefront(Jobs& jobs, long count) {
  const long width = side(count);
  for (long y = 0; y < width; y++) {
    for (long x = 0; x < width; x++) {
      const long cell = jobs.add();
      if (x > 0) jobs.link(cell - 1, cell);
      if (y > 0) jobs.link(cell - width, cell);
    }
  }
  return 1;
}

long fan(Jobs& jobs, long count) {
  const long first = jobs.add();
  const long last = jobs.add();
  for (long k = 0; k < count; k++) {
    const long middle = jobs.add();
    jobs.link(first, middle);
    jobs.link(middle, last);
  }
  return 1;
}

long randomDag(Jobs& jobs, long count) {
  for (const auto& prerequisites : ::randomDag(count).prerequisites) {
    const long job = jobs.add();
    for (const int first : prerequisites) jobs.link(first, job);
  }
  return 3;
}

template <Builder build, bool onlyRun>
Sample timed(long count) {
  auto start = Clock::now();
  Jobs jobs;
  const long sources = build(jobs, count);
  if (onlyRun) start = Clock::now();
  for (long job = 0; job < sources; job++) jobs.start(job);
  jobs.all.wait_for_all();
  return {since(start), static_cast<long>(jobs.nodes.size())};
}

}  // namespace tbb_flow

/// Runs a workload of oneTBB on as many threads as asked for.
Workload onTbb(Sample (*workload)(long)) {
  return [workload](int threads, long count) {
    // One arena for all runs, so that its workers stay.
    static oneapi::tbb::global_control limit(oneapi::tbb::global_control::max_allowed_parallelism, threads);
    static oneapi::tbb::task_arena arena(threads);
    return arena.execute([&] { return workload(count); });
  };
}

#endif

namespace openmp {

void independent(long count) {
  for (long k = 0; k < count; k++) {
#pragma omp task
    nothing();
  }
}

long fib(long n) {
  if (n < 2) return n;
  long a;
#pragma omp task shared(a) firstprivate(n)
  a = fib(n - 1);
  const long b = fib(n - 2);
#pragma omp taskwait
  return a + b;
}

void forkJoin(long n) {
  volatile long result = fib(n);
  (void)result;
}

void chain(long count) {
  char link;
  for (long k = 0; k < count; k++) {
#pragma omp task depend(inout : link)
    nothing();
  }
#pragma omp taskwait
}

void wavefront(long count) {
  const long width = side(count);
  // A row and a column more, which nobody writes, stand for the missing neighbours.
  std::vector<char> cells((width + 1) * (width + 1));
  char* const cell = cells.data();
  for (long y = 1; y <= width; y++) {
    for (long x = 1; x <= width; x++) {
      const long at = y * (width + 1) + x;
#pragma omp task depend(in : cell[at - 1], cell[at - width - 1]) depend(out : cell[at])
      nothing();
    }
  }
#pragma omp taskwait
}

void fan(long count) {
  char value;
#pragma omp task depend(out : value)
  nothing();
  for (long k = 0; k < count; k++) {
#pragma omp task depend(in : value)
    nothing();
  }
#pragma omp task depend(out : value)
  nothing();
#pragma omp taskwait
}

void randomDag(long count) {
  std::vector<char> done(count + 1);
  char* const job = done.data();
  const auto& dag = ::randomDag(count).prerequisites;
  for (long k = 0; k <= count; k++) {
    const int* const first = dag[k].data();
    const int size = static_cast<int>(dag[k].size());
#pragma omp task depend(iterator(n = 0 : size), in : job[first[n]]) depend(out : job[k])
    nothing();
  }
#pragma omp taskwait
}

}  // namespace openmp

/// Runs a workload of OpenMP on as many threads as asked for; the tasks are made by one of them.
Workload onOpenMp(void (*workload)(long), long (*jobs)(long)) {
  return [workload, jobs](int threads, long count) {
    const auto start = Clock::now();
#pragma omp parallel num_threads(threads)
#pragma omp single
    workload(count);
    return Sample{since(start), jobs(count)};
  };
}

struct Entry {
  Workload run;
  long count;
};

std::map<std::string, Entry> table() {
  constexpr long MILLION = 1'000'000, HUNDRED_THOUSAND = 100'000, CELLS = 500 * 500, FIB = 27;
  const auto same = [](long count) { return count; };
  std::map<std::string, Entry> all = {
      {"openmp independent", {onOpenMp(openmp::independent, same), MILLION}},
      {"openmp fork-join", {onOpenMp(openmp::forkJoin, spawns), FIB}},
      {"openmp chain", {onOpenMp(openmp::chain, same), HUNDRED_THOUSAND}},
      {"openmp wavefront",
       {onOpenMp(openmp::wavefront, [](long count) { return side(count) * side(count); }), CELLS}},
      {"openmp fan", {onOpenMp(openmp::fan, [](long count) { return count + 2; }), HUNDRED_THOUSAND}},
      {"openmp random-dag", {onOpenMp(openmp::randomDag, [](long count) { return count + 1; }), HUNDRED_THOUSAND}},
  };
#ifndef NO_TBB
  using namespace tbb_flow;
  all.insert({
      {"tbb-group independent", {onTbb(tbb_group::independent), MILLION}},
      {"tbb-group fork-join", {onTbb(tbb_group::forkJoin), FIB}},
      {"tbb-flow chain", {onTbb(timed<chain, false>), HUNDRED_THOUSAND}},
      {"tbb-flow chain-run", {onTbb(timed<chain, true>), HUNDRED_THOUSAND}},
      {"tbb-flow wavefront", {onTbb(timed<wavefront, false>), CELLS}},
      {"tbb-flow wavefront-run", {onTbb(timed<wavefront, true>), CELLS}},
      {"tbb-flow fan", {onTbb(timed<fan, false>), HUNDRED_THOUSAND}},
      {"tbb-flow fan-run", {onTbb(timed<fan, true>), HUNDRED_THOUSAND}},
      {"tbb-flow random-dag", {onTbb(timed<tbb_flow::randomDag, false>), HUNDRED_THOUSAND}},
      {"tbb-flow random-dag-run", {onTbb(timed<tbb_flow::randomDag, true>), HUNDRED_THOUSAND}},
  });
#endif
  return all;
}

}  // namespace

int main(int argc, char** argv) {
  const auto workloads = table();
  const auto found = argc < 3 ? workloads.end() : workloads.find(std::string(argv[1]) + " " + argv[2]);
  const int threads = argc < 4 ? 0 : std::atoi(argv[3]);
  const int runs = argc < 5 ? 0 : std::atoi(argv[4]);
  const long count = argc > 5 ? std::atol(argv[5]) : found != workloads.end() ? found->second.count : 0;
  if (found == workloads.end() || threads < 1 || runs < 1 || count < 4) {
    std::fprintf(stderr, "usage: native PEER WORKLOAD THREADS RUNS [COUNT]; peers and workloads:\n");
    for (const auto& [name, entry] : workloads) std::fprintf(stderr, "  %s\n", name.c_str());
    return 2;
  }
  omp_set_dynamic(0);
  if (found->first.find("random-dag") != std::string::npos) randomDag(count);
  std::printf("[");
  for (int run = -WARM_UPS; run < runs; run++) {
    const Sample sample = found->second.run(threads, count);
    if (run >= 0) std::printf("%s%.2f", run == 0 ? "" : ",", sample.nanoseconds / static_cast<double>(sample.jobs));
  }
  std::printf("]\n");
}
