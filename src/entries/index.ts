/** `heddle`, as it is bundled; its types are those of index.ts. */
import { house } from "../house.js";

export const {
  ArenaFullError,
  Channel,
  ChannelClosedError,
  DependencyCycleError,
  DependencyFailedError,
  JobAlreadyScheduledError,
  JobCancelledError,
  JobFailedError,
  JobSystem,
  JobTimeoutError,
  PayloadTooLargeError,
  ShutdownError,
  StaleJobError,
  shared,
  UnknownJobFunctionError,
  WaitGroup,
  WorkerCrashedError,
  WouldBlockError,
} = house.main;
