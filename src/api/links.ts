/** How a thread reaches the others: a port to each, also when another worker has taken a dead one's place. */
import { countOwn, leaveLink, type MessagePort, openLink, receiveNow } from "../platform/host.js";
import type { Link } from "../values/shared-objects.js";

/** Sent by the main thread: the port to the worker that has taken the place of number `thread`. */
interface Successor {
  readonly successor: number;
  readonly port: MessagePort;
}

export class Links {
  /** By thread; none to itself. */
  readonly all: readonly (PortLink | undefined)[];
  /** Called where messages come in turns of the event loop, after one has. */
  onArrival: () => void = () => {};

  /** @param ports by thread, none to itself */
  constructor(ports: readonly (MessagePort | undefined)[]) {
    const replace = ({ successor, port }: Successor) => this.replace(successor, port);
    this.all = ports.map((port) =>
      port === undefined ? undefined : new PortLink(port, replace, () => this.onArrival()),
    );
  }

  /** Reaches another worker as number `thread` from now on. */
  replace(thread: number, port: MessagePort): void {
    this.all[thread]?.replace(port);
  }

  /** Tells the thread `to` that another worker is number `thread` now. */
  introduce(to: number, thread: number, port: MessagePort): void {
    this.all[to]?.introduce({ successor: thread, port });
  }

  close(): void {
    for (const link of this.all) link?.close();
  }
}

class PortLink implements Link {
  #port: MessagePort;
  readonly #replace: (message: Successor) => void;
  /** What the worker that had the place before has sent and nobody has taken. */
  readonly #left: unknown[] = [];
  readonly #arrived: () => void;

  constructor(port: MessagePort, replace: (message: Successor) => void, arrived: () => void) {
    this.#port = port;
    this.#replace = replace;
    this.#arrived = arrived;
    openLink(port, arrived);
  }

  send(message: unknown): void {
    this.#port.postMessage(message);
  }

  receiveNow(): unknown {
    if (this.#left.length > 0) return this.#left.shift();
    for (;;) {
      const message = receiveNow(this.#port);
      if (!isSuccessor(message)) return message;
      countOwn();
      this.#replace(message);
    }
  }

  replace(port: MessagePort): void {
    for (let message = receiveNow(this.#port); message !== undefined; message = receiveNow(this.#port)) {
      this.#left.push(message);
    }
    leaveLink(this.#port, (message) => {
      if (isSuccessor(message)) return;
      this.#left.push(message);
      this.#arrived();
    });
    this.#port = port;
    openLink(port, this.#arrived);
  }

  introduce(message: Successor): void {
    this.#port.postMessage(message, [message.port]);
  }

  close(): void {
    this.#port.close();
  }
}

function isSuccessor(message: unknown): message is Successor {
  return typeof message === "object" && message !== null && "successor" in message;
}
