/** Ports between threads, from which messages are taken synchronously too. */
import { MessageChannel, type MessagePort, receiveMessageOnPort } from "node:worker_threads";

export { MessageChannel, type MessagePort };

/** Calls `heard` with each message; does not keep this thread alive. */
export function hear<T>(port: MessagePort, heard: (message: T) => void): void {
  port.on("message", heard);
  port.unref();
}

/** Opens a link to another thread: there is nothing to do, as messages are taken when they are needed. */
export function openLink(_port: MessagePort, _arrived: () => void): void {}

/** Leaves a link whose other end has died: all that it had sent was there to be taken. */
export function leaveLink(port: MessagePort, _late: (message: unknown) => void): void {
  port.close();
}

/** Takes a message that has already arrived, without going round the event loop. A port in it is opened here: see `countOwn`. */
export function receiveNow(port: MessagePort): unknown {
  return receiveMessageOnPort(port)?.message;
}

/** Whether `receiveNow` gives all that was sent before. */
export const receivesAtOnce: boolean = true;
