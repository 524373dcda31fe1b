export { Cluster } from "./cluster/cluster.js";
export { ClusterSchemaError, InvalidGraphError, UnknownRunError, WorkerLostError } from "./cluster/errors.js";
export type { ClusterArguments, ClusterJob, ClusterJobOptions, Graph } from "./cluster/graph.js";
export { idempotencyKey } from "./cluster/idempotency.js";
export type { ClusterOptions } from "./cluster/options.js";
export type { Run, RunReport } from "./cluster/run.js";
export type { RunStatus } from "./cluster/store.js";
export type { ClusterWorker, WorkerOptions } from "./cluster/worker.js";
