/** The task of workerpool: as empty as ours. */
import workerpool from "workerpool";

workerpool.worker({ nothing() {} });
