/**
 * Ports between threads. A browser hands over messages in turns of the event loop only. So what has arrived on a link is kept until
 * somebody takes it.
 */

export const { MessageChannel } = globalThis;

/** What has arrived on each link and nobody has taken. */
const arrivals = new WeakMap<MessagePort, unknown[]>();

/** Calls `heard` with each message. */
export function hear<T>(port: MessagePort, heard: (message: T) => void): void {
  port.onmessage = ({ data }) => heard(data);
}

/** Keeps what arrives on a port from now on for `receiveNow`, and tells each time. */
export function openLink(port: MessagePort, arrived: () => void): void {
  const messages: unknown[] = [];
  arrivals.set(port, messages);
  hear(port, (message) => {
    messages.push(message);
    arrived();
  });
}

/** Leaves a link whose other end has died: what it had sent before may still arrive, and `late` is called with it. */
export function leaveLink(port: MessagePort, late: (message: unknown) => void): void {
  hear(port, late);
}

/** Takes a message that a turn of the event loop has brought. */
export function receiveNow(port: MessagePort): unknown {
  return arrivals.get(port)?.shift();
}

/** Whether `receiveNow` gives all that was sent before. */
export const receivesAtOnce: boolean = false;
