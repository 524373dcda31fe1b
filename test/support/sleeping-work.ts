/** Job functions that open something which outlasts them, and others that look what has become of it. */
import { Agent, get } from "node:http";
import { BroadcastChannel, MessageChannel } from "node:worker_threads";

const agent = new Agent({ keepAlive: true });

/** Asks a local server over a connection that is kept. */
export function ask(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get({ host: "127.0.0.1", port, agent }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (piece) => {
        text += piece;
      });
      response.on("end", () => resolve(text));
    });
    request.on("error", reject);
  });
}

/** As `ask`, over the connections that `fetch` keeps. */
export async function askByFetch(port: number): Promise<string> {
  return (await fetch(`http://127.0.0.1:${port}`)).text();
}

/** Counts ticks of a timer that keeps nothing alive. */
export function tick(ticks: Int32Array): void {
  setInterval(() => Atomics.add(ticks, 0, 1), 2).unref();
}

/** Answers each message on a channel that keeps nothing alive. */
export function answer(name: string): void {
  const channel = new BroadcastChannel(name);
  channel.onmessage = () => channel.postMessage("answer");
  (channel as unknown as { unref(): void }).unref();
}

/** Listens to a port of its own. */
export function hear(heard: Int32Array): void {
  const { port1, port2 } = new MessageChannel();
  port1.on("message", () => Atomics.add(heard, 0, 1)).unref();
  setTimeout(() => port2.postMessage("hello"), 5).unref();
}

/** Has a cell changed when another thread changes the one before it. */
export function follow(cells: Int32Array): void {
  const { value } = Atomics.waitAsync(cells, 0, 0);
  void Promise.resolve(value).then(() => Atomics.store(cells, 1, 1));
}

/** How long asynchronous code computes at the most while it waits for a job, in milliseconds. */
const LONGEST = 5000;

/** Awaits a timer, says so in the first cell, and computes until the second is set. @returns whether that was in time */
export async function computeUntil(cells: Int32Array): Promise<boolean> {
  await new Promise((resolve) => setTimeout(resolve, 20));
  Atomics.store(cells, 0, 1);
  const end = Date.now() + LONGEST;
  while (Atomics.load(cells, 1) === 0) if (Date.now() > end) return false;
  return true;
}

/** Is suspended until the second cell is set. */
export async function suspendUntil(cells: Int32Array): Promise<void> {
  while (Atomics.load(cells, 1) === 0) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** Counts in the third cell. */
export function count(cells: Int32Array): void {
  Atomics.add(cells, 2, 1);
}
