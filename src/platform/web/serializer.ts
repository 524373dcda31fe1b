/** Browsers do not let anybody extend their serialiser: heddle's own encoding is used. */
import type { Serializers } from "../node/serializer.js";

export const serializers: Serializers | undefined = undefined;

/** Whether a view on a buffer that may change its length tracks that: a browser does not tell. */
export function tracksLength(): undefined {}
