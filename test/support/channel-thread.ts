/** A plain thread, of no job system, that sends into or receives from channels, in one way or the other. */
import { parentPort, workerData } from "node:worker_threads";
import { Channel, WaitGroup } from "heddle";

export type Part = Transfer | Holding;

interface Transfer {
  readonly role: "send" | "receive";
  readonly blocking: boolean;
  readonly channel: SharedArrayBuffer;
  /** Senders that are not yet done. */
  readonly sending: SharedArrayBuffer;
  readonly tally: Int32Array;
  readonly me: number;
  readonly count: number;
}

interface Holding {
  readonly role: "hold";
  readonly channel: SharedArrayBuffer;
  /** Becomes 1 when the thread waits for a message, which it takes when this is no longer 1. */
  readonly tally: Int32Array;
}

const part = workerData as Part;
const channel = new Channel<number>(part.channel);

async function send(part: Transfer): Promise<number> {
  for (let k = 0; k < part.count; k++) {
    if (part.blocking) channel.sendSync(part.me * part.count + k);
    else await channel.send(part.me * part.count + k);
  }
  new WaitGroup(part.sending).done();
  return part.count;
}

async function receive(part: Transfer): Promise<number> {
  const last = new Map<number, number>();
  let received = 0;
  const take = (value: number) => {
    const sender = Math.floor(value / part.count);
    if ((last.get(sender) ?? -1) >= value) throw new Error(`${value} came after ${last.get(sender)}`);
    last.set(sender, value);
    Atomics.add(part.tally, value, 1);
    received++;
  };
  if (part.blocking) for (const value of channel) take(value);
  else for await (const value of channel) take(value);
  return received;
}

/** Waits for a message in an event loop that does not turn. */
async function hold({ tally }: Holding): Promise<number | undefined> {
  const received = channel.receive();
  Atomics.store(tally, 0, 1);
  Atomics.wait(tally, 0, 1);
  return (await received).value;
}

const outcome = part.role === "hold" ? hold(part) : part.role === "send" ? send(part) : receive(part);
parentPort?.postMessage(await outcome);
