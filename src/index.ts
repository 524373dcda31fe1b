export {
  Channel,
  type ChannelConstructor,
  type NumberChannelOptions,
  type RecordChannelOptions,
  type RecordType,
  type ValueChannelOptions,
} from "./api/channel.js";
export {
  ArenaFullError,
  ChannelClosedError,
  DependencyCycleError,
  DependencyFailedError,
  JobAlreadyScheduledError,
  JobCancelledError,
  JobFailedError,
  JobTimeoutError,
  PayloadTooLargeError,
  ShutdownError,
  StaleJobError,
  UnknownJobFunctionError,
  WorkerCrashedError,
  WouldBlockError,
} from "./api/errors.js";
export type { Group } from "./api/group.js";
export type { Job } from "./api/job.js";
export type { JobOptions } from "./api/job-options.js";
export { JobSystem, type ShutdownReport } from "./api/job-system.js";
export type { JobModule } from "./api/modules.js";
export type { JobSystemOptions, ShutdownOptions } from "./api/options.js";
export { shared } from "./api/shared.js";
export { WaitGroup } from "./api/wait-group.js";
export type { StartOptions } from "./platform/host.js";
