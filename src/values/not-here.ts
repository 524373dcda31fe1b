/** A shared object that a value names has not reached this thread yet: an event-loop turn has to bring it. */
export class NotHere extends Error {}
