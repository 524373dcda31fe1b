/** The task of Poolifier: as empty as ours. */
import { ThreadWorker } from "poolifier";

export default new ThreadWorker(function nothing() {});
