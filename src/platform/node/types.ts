/** What the language alone cannot tell of an object. */
import { types } from "node:util";

export { types };
