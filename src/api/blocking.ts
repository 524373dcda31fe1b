/** What a thread has to do before it blocks: show others what it keeps to itself for the time being. */

const holders = new Set<() => void>();

/** @param publish shows others what is held back; called before this thread blocks */
export function addHolder(publish: () => void): void {
  holders.add(publish);
}

export function removeHolder(publish: () => void): void {
  holders.delete(publish);
}

/** To be called before this thread blocks where it executes no jobs: what it waits for may depend on them. */
export function beforeBlocking(): void {
  for (const publish of holders) publish();
}
