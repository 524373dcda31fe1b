/** Piscina's task: as empty as ours. */
export default function nothing(): void {}
