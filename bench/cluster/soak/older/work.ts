/** The older version of the soak's job functions, which lacks one. */
export { busy, failing, flaky, poison, waiting } from "../work.js";
