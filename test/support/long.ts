/** The tests have two lengths: `npm test` is quick, `npm run test:long` goes as far as it is worth while. */

/** Whether this is the long run. */
export const LONG = process.env.HEDDLE_TEST_LONG === "1";

/** A bound of a test, such as a number of rounds, or a list of cases: `quick` in `npm test`, `long` in the long run. */
export function bound<T>(quick: T, long: T): T {
  return LONG ? long : quick;
}

/** Options of a test that is part of the long run only. */
export const ONLY_LONG = { skip: LONG ? false : "part of npm run test:long" };
