/** Arguments and results, to and from the cells of a job's slot. */
import {
  COLD_CELLS,
  COUNT_MASK,
  F_COLD,
  FUNCTION_BITS,
  HOT_CELLS,
  P_DATA,
  S_ARGUMENTS,
  S_COLD,
  SLOT_LOG,
  SPILLED,
} from "../memory/layout.js";
import type { Context } from "../scheduler/context.js";
import { blameFor } from "./blame.js";
import * as box from "./boxes.js";
import { Cloner } from "./clone.js";
import { isInstance, isTooDeep } from "./describe.js";
import { HOST, natureOf } from "./natures.js";
import { NotHere } from "./not-here.js";
import { NoRoom, noRoomFor } from "./room.js";
import { type Link, type SharedObject, SharedObjects } from "./shared-objects.js";
import { loadString, storeString } from "./strings.js";
import * as views from "./views.js";

/** How what goes by reference crosses threads: handles of jobs, channels and the like; given by the layer above. */
export interface Handles {
  /** Writes a handle to a cell, if `value` is one. @returns cells written, 0 if it is not a handle */
  write(value: object, cell: number): number;
  /** @param again whether somebody will read the cell once more */
  read(kind: number, cell: number, again: boolean): unknown;
  /** The shared buffer that `value` is all in, if it is a primitive (a channel, …). */
  bufferOf(value: object): SharedArrayBuffer | undefined;
  /** This thread's primitive on such a buffer. */
  primitiveOn(buffer: SharedArrayBuffer): unknown;
  /** What to call `value` in a message, if it is a handle or a primitive. */
  nameOf(value: unknown): string | undefined;
}

/** How many arguments `writeFew` takes. */
export const FEW = 4;
/** No more arguments than these. */
export const NONE: unknown[] = [];

/** Where in an argument something is. */
function argumentPlace(index: number): (path: string) => string {
  return (path) => `argument ${index}${path ? ` at ${path}` : ""}`;
}

/** How many cells a value may take. */
function cellsFor(value: unknown): number {
  return typeof value === "object" && value !== null ? box.WIDEST : 1;
}

function headerFor(count: number, cells: number): number {
  return (count << FUNCTION_BITS) | (cells > HOT_CELLS ? F_COLD : 0);
}

const FIRST_CELL = S_ARGUMENTS / 2;
const COLD_CELL = S_COLD / 2;
const CELLS_LOG = SLOT_LOG - 1;

export class Codec {
  /** For failures: it copies shared memory too. */
  readonly cloner = new Cloner();
  readonly objects: SharedObjects;
  readonly #cloner: Cloner;
  readonly #context: Context;
  readonly #handles: Handles;

  constructor(context: Context, links: readonly (Link | undefined)[], handles: Handles) {
    this.#context = context;
    this.#handles = handles;
    this.objects = new SharedObjects(context, links);
    this.#cloner = new Cloner(this.objects);
  }

  /**
   * Writes arguments into a slot.
   *
   * @returns what to note of them in the slot's header
   * @throws DataCloneError (a DOMException) naming the argument; NoRoom
   */
  writeArguments(slot: number, args: readonly unknown[]): number {
    const count = args.length;
    let cells = 0;
    for (let k = 0; k < count; k++) cells += cellsFor(args[k]);
    if (cells > COLD_CELLS || count >= SPILLED) return this.#spill(slot, args);
    const header = headerFor(count, cells);
    this.#writeAll(this.#firstCell(slot, header), args);
    return header;
  }

  /**
   * As `writeArguments`, for up to FEW arguments, without an array of them.
   *
   * @param count how many of `a` to `d` there are
   */
  writeFew(slot: number, count: number, a: unknown, b: unknown, c: unknown, d: unknown): number {
    if (count === 1 && typeof a === "number") {
      this.#put((slot << CELLS_LOG) + FIRST_CELL, a);
      return 1 << FUNCTION_BITS;
    }
    let cells = cellsFor(a);
    if (count > 1) cells += cellsFor(b);
    if (count > 2) cells += cellsFor(c);
    if (count > 3) cells += cellsFor(d);
    if (cells > COLD_CELLS) return this.#spill(slot, [a, b, c, d].slice(0, count));
    const header = headerFor(count, cells);
    const first = this.#firstCell(slot, header);
    let written = 0;
    try {
      let cell = this.#put(first, a);
      written++;
      if (count > 1) cell = this.#put(cell, b);
      written++;
      if (count > 2) cell = this.#put(cell, c);
      written++;
      if (count > 3) this.#put(cell, d);
    } catch (error) {
      this.#free(first, written);
      throw this.#explained(error, [a, b, c, d][written], argumentPlace(written));
    }
    return header;
  }

  /** Writes arguments into a payload block. */
  #spill(slot: number, args: readonly unknown[]): number {
    const block = this.pack(args);
    this.#context.memory.i32[2 * this.#firstCell(slot, 0)] = block;
    return SPILLED << FUNCTION_BITS;
  }

  /**
   * Writes values into a payload block of their own.
   *
   * @returns the block, for `unpack`
   * @throws as `writeArguments`
   */
  pack(values: readonly unknown[]): number {
    const { memory, payloads } = this.#context;
    const bytes = 8 * (1 + values.length * box.WIDEST);
    const block = payloads.allocate(bytes);
    if (block === 0) throw noRoomFor(bytes);
    const first = (block + P_DATA) / 2;
    memory.f64[first] = values.length;
    try {
      this.#writeAll(first + 1, values);
    } catch (error) {
      payloads.free(block);
      throw error;
    }
    return block;
  }

  /** Reads what `pack` has written, and frees it, unless it is to be read again. */
  unpack(block: number): unknown[] {
    const { memory, payloads } = this.#context;
    payloads.reach(block);
    const first = (block + P_DATA) / 2;
    // The block may be a value among others, which are read on after it.
    const { nextCell } = this;
    const values = this.#readAll(first + 1, memory.f64[first]);
    this.nextCell = nextCell;
    if (!this.#again) payloads.free(block);
    return values;
  }

  /** Frees what `pack` has written. */
  #dropPacked(block: number): void {
    const { memory, payloads } = this.#context;
    payloads.reach(block);
    const first = (block + P_DATA) / 2;
    this.#free(first + 1, memory.f64[first]);
    payloads.free(block);
  }

  #put(cell: number, value: unknown): number {
    if (typeof value !== "number") return cell + this.#write(cell, value);
    this.#context.memory.f64[cell] = value === value ? value : Number.NaN;
    return cell + 1;
  }

  /** Writes arguments side by side; if one fails, nothing is left behind. */
  #writeAll(first: number, args: readonly unknown[]): void {
    let cell = first;
    for (let k = 0; k < args.length; k++) {
      try {
        cell = this.#put(cell, args[k]);
      } catch (error) {
        this.#free(first, k);
        throw this.#explained(error, args[k], argumentPlace(k));
      }
    }
  }

  /** As `readArguments`, for a job that may be run again: what its arguments take stays. */
  readArgumentsAgain(slot: number, header: number): unknown[] {
    this.#again = true;
    try {
      return this.readArguments(slot, header);
    } finally {
      this.#again = false;
    }
  }

  /** Whether what is read stays, to be read once more. */
  #again = false;

  /** Reads one argument (or the result, as the first) and frees what it took. @returns the cell after it in `nextCell` */
  nextCell = 0;
  read(cell: number): unknown {
    const { memory } = this.#context;
    const upper = memory.i32[2 * cell + 1];
    if ((upper & box.TAG_MASK) !== box.TAG) {
      this.nextCell = cell + 1;
      return memory.f64[cell];
    }
    const kind = upper & 0xff;
    this.nextCell = cell + box.widthOf(kind);
    return this.#readBoxed(cell, kind, memory.i32[2 * cell]);
  }

  /** Where the arguments of a slot with this header start. */
  firstArgument(slot: number, header: number): number {
    return this.#firstCell(slot, header);
  }

  #firstCell(slot: number, header: number): number {
    return (slot << CELLS_LOG) + (header & F_COLD ? COLD_CELL : FIRST_CELL);
  }

  /** Reads the arguments of a slot with this header. */
  readArguments(slot: number, header: number): unknown[] {
    const count = (header >>> FUNCTION_BITS) & COUNT_MASK;
    const first = this.#firstCell(slot, header);
    if (count !== SPILLED) return this.#readAll(first, count);
    return this.unpack(this.#context.memory.i32[2 * first]);
  }

  #readAll(first: number, count: number): unknown[] {
    const args: unknown[] = new Array(count);
    this.nextCell = first;
    for (let k = 0; k < count; k++) args[k] = this.read(this.nextCell);
    return args;
  }

  /** Whether the shared objects that a slot's arguments name have all reached this thread. */
  argumentsAreHere(slot: number, header: number): boolean {
    const count = (header >>> FUNCTION_BITS) & COUNT_MASK;
    const first = this.#firstCell(slot, header);
    return count === SPILLED ? this.#packedIsHere(this.#context.memory.i32[2 * first]) : this.#areHere(first, count);
  }

  /** As `argumentsAreHere`, of a result. */
  resultIsHere(slot: number): boolean {
    return this.#areHere(this.#firstCell(slot, 0), 1);
  }

  #packedIsHere(block: number): boolean {
    const { memory, payloads } = this.#context;
    payloads.reach(block);
    const first = (block + P_DATA) / 2;
    return this.#areHere(first + 1, memory.f64[first]);
  }

  #areHere(first: number, count: number): boolean {
    return this.#everyBox(first, count, (kind, content) => this.#isHere(kind, content));
  }

  /** Whether `check` says yes of each of `count` values side by side that is more than a number or the like. */
  #everyBox(first: number, count: number, check: (kind: number, content: number) => boolean): boolean {
    const { memory } = this.#context;
    let cell = first;
    for (let k = 0; k < count; k++) {
      const upper = memory.i32[2 * cell + 1];
      if ((upper & box.TAG_MASK) !== box.TAG) {
        cell++;
        continue;
      }
      const kind = upper & 0xff;
      if (!check(kind, memory.i32[2 * cell])) return false;
      cell += box.widthOf(kind);
    }
    return true;
  }

  #isHere(kind: number, content: number): boolean {
    if (box.isByNumber(kind)) return this.objects.isHere(content);
    if (kind === box.DONE_JOB) return this.#packedIsHere(content);
    if (kind !== box.CLONE_NAMING) return true;
    try {
      this.#cloner.deserialize(this.#context.payloads.bytes(content), true);
    } catch (error) {
      // Whatever else is wrong is found when it is read.
      return !(error instanceof NotHere);
    }
    return true;
  }

  /** Frees arguments that nobody will read. */
  drop(slot: number, header: number): void {
    const count = (header >>> FUNCTION_BITS) & COUNT_MASK;
    const first = this.#firstCell(slot, header);
    if (count === SPILLED) this.#dropPacked(this.#context.memory.i32[2 * first]);
    else this.#free(first, count);
  }

  /** Writes a result. @throws DataCloneError (a DOMException); NoRoom */
  writeResult(slot: number, value: unknown): void {
    const cell = this.#firstCell(slot, 0);
    try {
      if (typeof value === "number") this.#put(cell, value);
      else this.#write(cell, value);
    } catch (error) {
      throw this.#explained(error, value, (path) => (path ? `the result at ${path}` : "the result"));
    }
  }

  readResult(slot: number): unknown {
    return this.read(this.#firstCell(slot, 0));
  }

  /** As `readResult`, for a result that others may read after this: what it takes stays. */
  readResultAgain(slot: number): unknown {
    this.#again = true;
    try {
      return this.readResult(slot);
    } finally {
      this.#again = false;
    }
  }

  /** Frees a result that nobody will read any more. */
  dropResult(slot: number): void {
    this.#free(this.#firstCell(slot, 0), 1);
  }

  /** Gives the slot `to` a copy of the result in `from`. */
  copyResult(from: number, to: number): void {
    const { memory, payloads } = this.#context;
    const source = this.#firstCell(from, 0);
    const target = this.#firstCell(to, 0);
    for (let k = 0; k < box.WIDEST; k++) {
      memory.i32[2 * (target + k)] = memory.i32[2 * (source + k)];
      memory.i32[2 * (target + k) + 1] = memory.i32[2 * (source + k) + 1];
    }
    const upper = memory.i32[2 * source + 1];
    if ((upper & box.TAG_MASK) !== box.TAG) return;
    const kind = upper & 0xff;
    const content = memory.i32[2 * source];
    // Other threads may copy the same result at the same time, so nothing of it is changed.
    if (box.isClone(kind)) {
      this.#writeClone(target, this.#cloner.deserialize(payloads.bytes(content), true));
    } else if (kind === box.STRING8 || kind === box.STRING16 || kind === box.FAILED_JOB) {
      const copy = payloads.copy(content);
      if (copy === 0) throw new NoRoom();
      this.#point(target, kind, copy);
    } else if (box.isByNumber(kind)) {
      this.#pointToObject(target, kind, this.objects.find(content));
    }
  }

  /** Frees what `count` values side by side have taken. */
  #free(first: number, count: number): void {
    const { payloads } = this.#context;
    this.#everyBox(first, count, (kind, content) => {
      if (kind === box.STRING8 || kind === box.STRING16 || kind === box.FAILED_JOB) payloads.free(content);
      else if (box.isClone(kind)) this.#dropClone(content);
      else if (kind === box.DONE_JOB) this.#dropPacked(content);
      else if (box.isByNumber(kind)) this.objects.end(content);
      return true;
    });
  }

  /** Reads a clone for nothing: what it holds may count its travels. */
  #dropClone(block: number): void {
    try {
      this.#takeClone(block);
    } catch {
      // Nobody will miss it.
    }
  }

  #explained(error: unknown, value: unknown, place: (path: string) => string): unknown {
    if (error instanceof NoRoom) return error;
    const nameOf = (part: unknown) => this.#handles.nameOf(part);
    // A handle that cannot be sent says why itself.
    const blameless = nameOf(value) !== undefined && isInstance(error, Error);
    const { path, reason } = blameless
      ? { path: "", reason: error.message }
      : blameFor(error, value, this.#cloner, nameOf);
    return new DOMException(`${place(path)} cannot be copied to another thread: ${reason}`, "DataCloneError");
  }

  #write(cell: number, value: unknown): number {
    const { memory, payloads } = this.#context;
    switch (typeof value) {
      case "number":
        memory.f64[cell] = value === value ? value : Number.NaN;
        return 1;
      case "undefined":
        return this.#point(cell, box.UNDEFINED, 0);
      case "boolean":
        return this.#point(cell, value ? box.TRUE : box.FALSE, 0);
      case "string": {
        const block = storeString(payloads, value);
        if (block === 0) throw noRoomFor(value.length);
        return this.#point(cell, block > 0 ? box.STRING8 : box.STRING16, Math.abs(block));
      }
      case "object":
        return value === null ? this.#point(cell, box.NULL, 0) : this.#writeObject(cell, value);
      default:
        return this.#writeClone(cell, value);
    }
  }

  #writeObject(cell: number, value: object): number {
    // Most are such, and nothing else.
    if (Object.getPrototypeOf(value) === Object.prototype || Array.isArray(value)) return this.#writeClone(cell, value);
    if (ArrayBuffer.isView(value) && box.isShared(views.bufferOf(value))) {
      const { memory } = this.#context;
      // First, as it may throw.
      const type = views.viewType(value);
      const view = box.plainView(value);
      this.#pointToObject(cell, box.VIEW, view.buffer);
      memory.f64[cell + 1] = view.byteOffset * 16 + type;
      memory.f64[cell + 2] = box.viewLength(view);
      return 3;
    }
    if (box.isShared(value)) return this.#pointToObject(cell, box.BUFFER, value);
    const written = this.#handles.write(value, cell);
    if (written > 0) return written;
    const buffer = this.#handles.bufferOf(value);
    if (buffer !== undefined) return this.#pointToObject(cell, box.PRIMITIVE, buffer);
    if (natureOf(Object.getPrototypeOf(value)) === HOST && box.isShared(box.memoryUnder(value))) {
      return this.#pointToObject(cell, box.MEMORY, value);
    }
    return this.#writeClone(cell, value);
  }

  #writeClone(cell: number, value: unknown): number {
    const { departures } = this.objects;
    const bytes = this.#cloner.serialize(value);
    const kind = this.objects.departures === departures ? box.CLONE : box.CLONE_NAMING;
    return this.#point(cell, kind, this.#stored(bytes));
  }

  #stored(bytes: Uint8Array): number {
    const block = this.#context.payloads.store(bytes);
    if (block === 0) throw noRoomFor(bytes.length);
    return block;
  }

  #pointToObject(cell: number, kind: number, object: SharedObject): number {
    const number = this.objects.depart(object);
    if (number === 0) throw new NoRoom();
    return this.#point(cell, kind, number);
  }

  #point(cell: number, kind: number, content: number): number {
    const { i32 } = this.#context.memory;
    i32[2 * cell] = content;
    i32[2 * cell + 1] = box.TAG | kind;
    return 1;
  }

  #readBoxed(cell: number, kind: number, content: number): unknown {
    const { memory, payloads } = this.#context;
    switch (kind) {
      case box.UNDEFINED:
        return undefined;
      case box.NULL:
        return null;
      case box.FALSE:
        return false;
      case box.TRUE:
        return true;
      case box.STRING8:
      case box.STRING16: {
        const text = loadString(payloads, content, kind === box.STRING8);
        if (!this.#again) payloads.free(content);
        return text;
      }
      case box.CLONE:
      case box.CLONE_NAMING:
        return this.#takeClone(content);
      case box.VIEW: {
        const packed = memory.f64[cell + 1];
        const type = packed % 16;
        return this.#viewOf(content, type, (packed - type) / 16, memory.f64[cell + 2]);
      }
      case box.BUFFER:
      case box.MEMORY:
        return this.#arrive(content);
      case box.PRIMITIVE:
        return this.#handles.primitiveOn(this.#arrive(content) as SharedArrayBuffer);
      default:
        return this.#handles.read(kind, cell, this.#again);
    }
  }

  /** Reads a clone and frees its payload. @throws RangeError when it is nested too deeply for this thread's stack */
  #takeClone(block: number): unknown {
    const { payloads } = this.#context;
    try {
      return this.#cloner.deserialize(payloads.bytes(block), this.#again);
    } catch (cause) {
      if (!isTooDeep(cause)) throw cause;
      throw new RangeError("a value is nested too deeply for the stack of the thread that reads it; make it flatter", {
        cause,
      });
    } finally {
      if (!this.#again) payloads.free(block);
    }
  }

  #arrive(number: number): SharedObject {
    return this.#again ? this.objects.find(number) : this.objects.arrive(number);
  }

  /** The last view that arrived: jobs are often given the same one again and again. */
  #lastView: { number: number; type: number; offset: number; length: number; view: ArrayBufferView } | undefined;

  #viewOf(number: number, type: number, offset: number, length: number): ArrayBufferView {
    const last = this.#lastView;
    const buffer = this.#arrive(number) as SharedArrayBuffer;
    if (
      last !== undefined &&
      last.number === number &&
      last.type === type &&
      last.offset === offset &&
      last.length === length
    ) {
      return last.view;
    }
    const view = views.makeView(type, buffer, offset, length);
    this.#lastView = { number, type, offset, length, view };
    return view;
  }
}
