/**
 * Where everything lies in the shared memory: every offset of heddle is in this file.
 *
 * The memory is one growable SharedArrayBuffer: a base area (header, thread blocks, event count,
 * exchanges), then regions of 512 KiB, added when needed. A region holds cells of one size: 4,096
 * job slots, 32,768 edges, payload blocks, or a deque's array. Addresses are in 32-bit words from
 * the start of the buffer; a job's number is its address divided by the size of a slot, so that
 * finding a slot needs no table.
 */
import { channelWords } from "../sync/channel.js";
import { DEQUE_WORDS } from "../sync/deque.js";
import { eventCountWords } from "../sync/event-count.js";
import { LINE } from "../sync/words.js";

/** Header words. */
export const H_REGIONS_END = 0; // address after the last region that was added
export const H_TICKET = LINE; // threads: 1 – the next place in the first-in first-out order
export const H_STATE = 2 * LINE; // RUNNING, STOPPING, CANCELLING, STOPPED or DEAD
export const H_EPOCH = 3 * LINE + 2; // atomic: recoveries that have begun and ended; odd while one is under way, see pause.ts
export const H_TIMED = 3 * LINE; // atomic: live jobs with a time limit, which the main thread watches
export const H_PRIORITIES = 3 * LINE + 1; // atomic: which kinds of jobs there have been, HAD_PRIORITY and HAD_MAIN
export const H_MAIN_JOBS = 4 * LINE; // atomic: stack of ready jobs that only the main thread runs; see main-jobs.ts
export const H_POOLS = 5 * LINE; // two words for each pool: where to carve next, cells carved

/** H_PRIORITIES: set before the first such job is scheduled, and for good. */
export const HAD_PRIORITY = 1; // of another priority than normal
export const HAD_MAIN = 2; // for the main thread only

/** Values of H_STATE. */
export const RUNNING = 0;
export const STOPPING = 1;
export const STOPPED = 2;
export const CANCELLING = 3; // in this one and the next, no job starts any more
export const DEAD = 4; // it was given up, or ended by force: nothing more will run

/** A region, in words. */
export const REGION_WORDS = (512 * 1024) / 4;

/**
 * A job slot: 128 bytes in two halves of a cache line each. Everything that a small job needs is in
 * the hot half. The hot halves of a region lie side by side, and the cold ones after them, so that
 * memory which small jobs do not need stays out of the caches.
 */
export const SLOT_LOG = 4;
export const SLOT_WORDS = 1 << SLOT_LOG;
const SLOTS_LOG = 12; // slots in a region
export const S_GENERATION = 0; // how many jobs with handles have had this slot
export const S_FUNCTION = 1; // function id, number of arguments, flags
export const S_UNMET = 2; // atomic: prerequisites, counted when the job is scheduled, less those that are met; or who has the job
export const S_CONTINUATIONS = 3; // atomic: head of the list of edges to the jobs after this one, and AWAITED; or how it was closed
export const S_OWNER = 4; // the thread that has the handle; for a job of a group, the group's address
export const S_FAILURE = 5; // atomic: payload that tells why the job failed or must not run, or 0
export const S_PINS = 6; // atomic: threads that look at this slot through a handle from elsewhere
export const S_PREREQUISITES = 7; // head of the list of edges from the jobs before this one, and SEALED
export const S_EDGE = 8; // the slot's own edge, for its first prerequisite (E_NEXT, E_SOURCE)
export const S_TICKET = 8; // in the queue of threads: 1
export const S_LINK = 8; // when done, in the owner's list of finished jobs; when free, in a free list
export const S_ARGUMENTS = 10; // three float64: arguments, then the result
export const HOT_CELLS = 3;
export const S_COLD = REGION_WORDS / 2; // the cold half: eight float64 of arguments, if they do not fit above
export const COLD_CELLS = 8;

/** Numbers slots without gaps, for tables. */
export function slotIndex(slot: number): number {
  return ((slot >>> (SLOTS_LOG + 1)) << SLOTS_LOG) | (slot & ((1 << SLOTS_LOG) - 1));
}

/** The slot with a number of `slotIndex`. */
export function slotAt(index: number): number {
  return ((index >>> SLOTS_LOG) << (SLOTS_LOG + 1)) | (index & ((1 << SLOTS_LOG) - 1));
}

/** S_FUNCTION: function id (20 bits), number of arguments (4 bits), flags. */
export const FUNCTION_BITS = 20;
export const FUNCTION_MASK = (1 << FUNCTION_BITS) - 1;
export const COUNT_MASK = 15;
export const SPILLED = 15; // as a number of arguments: all of them are in one payload
export const F_GROUP = 1 << 24; // belongs to a group: no handle, no edges
export const F_OBSERVER = 1 << 25; // runs nothing: takes over the outcome of its prerequisite
export const F_COLD = 1 << 26; // its arguments are in the cold half
export const F_ASYNC = 1 << 27; // its function is known to give promises
export const F_CONTROLLED = 1 << 28; // has a control record
export const F_HIGH = 1 << 29; // goes before others
export const F_LOW = 1 << 30; // goes after others
export const F_MAIN = 1 << 31; // only the main thread runs it
export const F_APART = F_HIGH | F_LOW | F_MAIN; // when ready, it does not go into the normal deque

/**
 * S_UNMET, where nothing is to be counted: which thread has the job in hand. Read when that thread has died; see recovery.ts.
 * HELD: it is being executed, is suspended, or has been; its arguments may be gone.
 * ASIDE: it waits on that thread to be executed, or to be taken over.
 */
export const HELD = 1 << 29;
export const ASIDE = 1 << 30;
export const HOLDER_MASK = 0xffff;

/** S_PREREQUISITES: the job is scheduled and can gain no more prerequisites. */
export const SEALED = 1 << 30;
/** S_PREREQUISITES: the job has a single prerequisite, which was scheduled after it: nobody but its finisher counts. */
export const SINGLE = 1 << 29;

/** S_CONTINUATIONS: the finisher is to push the job onto the owner's list of finished jobs, and to notify it. */
export const AWAITED = 1 << 30;
/** S_CONTINUATIONS, negative: the job has finished, and nothing can be linked after it any more. */
export const CLOSED = -1; // its finisher touches it no more, and tells nobody
export const CLOSING = 1 << 31; // its finisher has still to pass on what follows; AWAITED may be added

/**
 * An edge, 16 bytes. Its number is its address divided by its size; the edge inside a slot has the
 * slot's number and OWN_EDGE, its target is that slot, and it is the oldest of the slot's prerequisites.
 */
export const EDGE_LOG = 2;
export const OWN_EDGE = 1 << 27; // above the number of every other edge
export const EDGE_MASK = OWN_EDGE | (OWN_EDGE - 1);
export const EDGE_WORDS = 1 << EDGE_LOG;
export const E_NEXT = 0; // next edge in the source's list of continuations
export const E_SOURCE = 1; // the prerequisite, or 0 once it is met
export const E_TARGET = 2;
export const E_OLDER = 3; // next edge in the target's list of prerequisites

/**
 * A job's control record: what `with` has set. The records of all slots of a region lie in a region of their own, which is
 * added when the first of them is needed; a record stays its slot's for ever, so that counters in it never start again.
 */
const CONTROL_LOG = 5;
export const C_STATE = 0; // atomic: see control.ts
export const C_LIMIT = 1; // how long it may run, in milliseconds, at most 2^30; or 0
export const C_DEADLINE = 2; // when its time is over, in milliseconds of the machine's clock, modulo 2^31: see CLOCK_MASK
export const C_OUTER = 3; // the next in its thread's list of jobs with a time limit
export const C_NAME = 4; // payload with its name, or 0
export const C_RETRIES = 5; // how often it may be run again after its worker has crashed
export const C_KILL = 6; // 1: its worker is terminated when its time is over, or it is aborted
export const C_THREAD = 7; // the thread that has started it
export const C_REASON = 8; // payload with the reason why it was asked to stop; or 0, or 1 where there was no room

/** What is left of the machine's clock in a word; of two times, less than half of that lies between them. */
export const CLOCK_MASK = 0x7fffffff;
export const LONGEST_LIMIT = 2 ** 30;

/** Where the address of a slot's region of control records is noted, relative to the layout's `controls`. */
export function controlRegionOf(slot: number): number {
  return slot >>> (SLOTS_LOG + 1);
}

/** Where a slot's control record lies in that region. */
export function controlOffsetOf(slot: number): number {
  return (slot & ((1 << SLOTS_LOG) - 1)) << CONTROL_LOG;
}

/** A thread's block. */
export const B_FINISHED = 0; // atomic: stack of finished jobs whose handles this thread has
export const B_ACTIVITY = LINE; // AT_REST, BUSY, IDLE, STUCK or BLOCKED
export const B_SUSPENDED = LINE + 1; // atomic: asynchronous jobs of this thread that have started and not finished
// What the thread notes for the case that it dies: only it writes these, plainly.
export const B_PHASE = LINE + 2; // OUTSIDE, INSIDE, ASLEEP or DOZING
export const B_HELD_BACK = LINE + 3; // jobs in its deque that it has not published
export const B_GROUP = LINE + 4; // the group whose jobs it has finished and not yet counted, and how many
export const B_COUNTED = LINE + 5;
export const B_PINNING = LINE + 6; // slots that it has pinned
export const B_GROUPS = LINE + 7; // list of the groups that it has made
export const B_EXIT = LINE + 8; // the code with which it ends, plus 1, once it knows
export const B_CROSSED = LINE + 10; // 1 once handles of jobs have come or gone here; also of those that had its place before
export const B_RAN = LINE + 9; // 1 once it has run jobs and is still there
export const B_TIMED = 2 * LINE; // list of the jobs with a time limit that this thread has started
export const B_DEQUE = 3 * LINE;
export const B_DEQUE_HIGH = B_DEQUE + DEQUE_WORDS;
export const B_DEQUE_LOW = B_DEQUE_HIGH + DEQUE_WORDS;
// Of the main thread, for each priority: what its jobs have made ready.
export const B_INNER = B_DEQUE_LOW + DEQUE_WORDS;
export const B_INNER_HIGH = B_INNER + DEQUE_WORDS;
export const B_INNER_LOW = B_INNER_HIGH + DEQUE_WORDS;
export const BLOCK_WORDS = B_INNER_LOW + DEQUE_WORDS;

/** Values of B_ACTIVITY. */
export const AT_REST = 0; // in no job and in no synchronous wait, and has nothing to do
export const BUSY = 1;
export const STUCK = 2; // in a job, waiting for room in a full arena
export const BLOCKED = 3; // in a job, waiting for what only asynchronous jobs can bring about
export const IDLE = 4; // in a synchronous wait, and asleep

/** Values of B_PHASE. */
export const OUTSIDE = 0; // in a job's function, or in its event loop
export const INSIDE = 1; // in heddle: what is shared may be half changed
export const ASLEEP = 2; // as OUTSIDE, and was WAITING when it fell asleep
export const DOZING = 3; // as ASLEEP, but its event loop turns: code on this thread may go on

/** A group's record, in a payload block. */
export const G_DONE = 0; // atomic: jobs that have finished
export const G_TARGET = 1; // atomic: how many must have finished for the owner to be woken, or NOBODY
export const G_OWNER = 2;
export const G_FAILURE = 3; // atomic: payload of the first failure, or 0
export const G_COUNT = 4; // how many jobs it has; written by its owner only
export const G_NEXT = 5; // the next of its owner's groups, and the one before
export const G_PREVIOUS = 6;
export const GROUP_BYTES = 28;
export const NOBODY = -1;

/** A payload block: two words, then its bytes. */
export const P_BYTES = 0;
export const P_CLASS = 1;
export const P_DATA = 2;
/** Payload classes: blocks of 2^6 to 2^30 bytes. */
export const SMALLEST_CLASS = 6;
export const LARGEST_CLASS = 30;

/** The pools: job slots, edges, then one for each payload class. */
export const POOL_SLOTS = 0;
export const POOL_EDGES = 1;
export const POOL_PAYLOADS = 2;
export const POOLS = POOL_PAYLOADS + LARGEST_CLASS - SMALLEST_CLASS + 1;

/** What kinds of cells a pool has, and how they travel between threads. */
export interface PoolShape {
  readonly cellWords: number;
  /** How many words of a region are carved into cells. */
  readonly carvedWords: number;
  /** Cells that change threads at once. */
  readonly batch: number;
  /** Batches that can be between threads. */
  readonly exchange: number;
  /** Where a free cell keeps the address of the next one. */
  readonly link: number;
}

/** The layout for a number of threads (the creating one included) and of live jobs. */
export interface Layout {
  readonly threads: number;
  readonly maxJobs: number;
  readonly shapes: readonly PoolShape[];
  readonly exchanges: readonly number[];
  readonly slotLimit: number;
  readonly events: number;
  /** For each region of the memory, the address of the control records of its slots, or 0. */
  readonly controls: number;
  /** For each region of the memory, 1 if it holds job slots. */
  readonly slotRegions: number;
  readonly baseWords: number;
  readonly maxWords: number;
  blockOf(thread: number): number;
  /** Where a thread keeps the free cells of a pool: their number, then their addresses (two batches at most). */
  freeOf(thread: number, pool: number): number;
}

const MAX_BYTES = 2 ** 31;
const PAYLOAD_BYTES = 2 ** 30;

export function layoutFor(threads: number, maxJobs: number): Layout {
  const shapes: PoolShape[] = [];
  // A small arena exchanges small batches, so that few free slots are out of others' reach.
  const slotBatch = Math.min(64, powerOfTwo(maxJobs / (16 * threads)) / 2);
  const slotLimit = maxJobs + threads * (3 * slotBatch + 1);
  const carvedWords = REGION_WORDS;
  const slotExchange = powerOfTwo(slotLimit / slotBatch);
  shapes.push({ cellWords: SLOT_WORDS, carvedWords: S_COLD, batch: slotBatch, exchange: slotExchange, link: S_LINK });
  shapes.push({ cellWords: EDGE_WORDS, carvedWords, batch: 64, exchange: 2 ** 17, link: 0 });
  for (let log = SMALLEST_CLASS; log <= LARGEST_CLASS; log++) {
    const batch = log <= 10 ? 64 : log <= 14 ? 8 : 1;
    const exchange = log <= 8 ? 2 ** 16 : 2 ** 14;
    shapes.push({ cellWords: 2 ** (log - 2), carvedWords, batch, exchange, link: 0 });
  }
  let next = H_POOLS + POOLS * 2;
  const place = (words: number) => {
    const at = Math.ceil(next / LINE) * LINE;
    next = at + words;
    return at;
  };
  const blocks = place(threads * BLOCK_WORDS);
  const events = place(eventCountWords(threads));
  const controls = place(MAX_BYTES / 4 / REGION_WORDS);
  const slotRegions = place(MAX_BYTES / 4 / REGION_WORDS);
  const offsets: number[] = [];
  let freeWords = 0;
  for (const { batch } of shapes) {
    offsets.push(freeWords);
    freeWords += 1 + 2 * batch;
  }
  freeWords = Math.ceil(freeWords / LINE) * LINE;
  const free = place(threads * freeWords);
  const exchanges = shapes.map((shape) => place(channelWords(shape.exchange)));
  const baseWords = Math.ceil(next / REGION_WORDS) * REGION_WORDS;
  const queues = threads * powerOfTwo(slotLimit) * 4 * 2;
  const edges = slotLimit * EDGE_WORDS * 4 * 4;
  const maxBytes = Math.min(MAX_BYTES, baseWords * 4 + slotLimit * 2 * SLOT_WORDS * 4 + queues + edges + PAYLOAD_BYTES);
  const maxWords = Math.floor(maxBytes / 4 / REGION_WORDS) * REGION_WORDS;
  const blockOf = (thread: number) => blocks + thread * BLOCK_WORDS;
  const freeOf = (thread: number, pool: number) => free + thread * freeWords + offsets[pool];
  return {
    threads,
    maxJobs,
    shapes,
    exchanges,
    slotLimit,
    events,
    controls,
    slotRegions,
    baseWords,
    maxWords,
    blockOf,
    freeOf,
  };
}

function powerOfTwo(atLeast: number): number {
  return Math.max(2, 2 ** Math.ceil(Math.log2(atLeast)));
}
