/** The task of Piscina and Tinypool: as empty as ours. */
export default function nothing(): void {}
