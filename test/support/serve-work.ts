/** The program of a worker thread, as the users of bundlers write it. */
import { serve } from "heddle/worker";
import * as work from "./work.js";

serve(work);
