/** Values of all kinds that can be cloned, and then compared. */
import { inspect } from "node:util";
import fc from "fast-check";

/** Without invalid dates, of which two are never equal to `assert`, although a copy of one is right. */
export const cloneable = fc
  .anything({ withBigInt: true, withDate: true, withMap: true, withSet: true, withTypedArray: true })
  .filter((value) => !/Invalid Date/.test(inspect(value, { depth: Number.POSITIVE_INFINITY })));
