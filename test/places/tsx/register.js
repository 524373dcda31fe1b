/** Has a thread load TypeScript: on Node 20, `--import tsx` does so on the main thread only. */
import { register } from "tsx/esm/api";

register();
