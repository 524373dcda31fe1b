/** The errors of the cluster that a local job system does not have. */

/** There is no run with this id in the database, or it was deleted. */
export class UnknownRunError extends Error {
  override readonly name: string = "UnknownRunError";
  /** The id that was asked for. */
  readonly run: string;
  constructor(run: string) {
    super(`there is no run ${run} in this database: it was never submitted here, or it was deleted`);
    this.run = run;
  }
}

/**
 * The schema of a cluster, or something in it that a cluster needs, is not in the database: it was never created, it was
 * dropped, or another version has created it. Calls work again once `heddle migrate` or `Cluster.connect` has created it.
 */
export class ClusterSchemaError extends Error {
  override readonly name: string = "ClusterSchemaError";
  /** The schema's name. */
  readonly schema: string;
  constructor(schema: string, what: string, options?: ErrorOptions) {
    super(
      `${what}: is the database the right one? \`heddle migrate --url … --schema ${schema} --modules …\` creates what is missing, as Cluster.connect does by default`,
      options,
    );
    this.schema = schema;
  }
}

/** A graph cannot be submitted as it is. */
export class InvalidGraphError extends Error {
  override readonly name: string = "InvalidGraphError";
}

/** The machine that ran a job was lost, or the job took longer than a day, as often as it might be tried. */
export class WorkerLostError extends Error {
  override readonly name: string = "WorkerLostError";
}
