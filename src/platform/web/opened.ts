/**
 * Whether code on this worker has opened something that needs the event loop. A browser does not tell, and there is too much that
 * may be opened to notice it all. So each worker sleeps in such a way that its event loop turns.
 */

/** Nothing is counted here. */
export function countOwn(): void {}

/** Loads the user's modules. @returns what `load` gives */
export function noticeOpening<T>(load: () => Promise<T>): Promise<T> {
  return load();
}

export function hasOpened(): boolean {
  return true;
}

/** The thread never blocks while it sleeps, whatever is pending. */
export function hasPendingWork(): boolean {
  return true;
}
