import { serve } from "heddle/worker";
import { register } from "tsx/esm/api";

register();
serve(await import("./work.ts"));
