/** Loaded before heddle, this makes Node a runtime without a serialiser that can be extended, as Bun is. */
import v8 from "node:v8";

Object.assign(v8, { Serializer: class {} });
