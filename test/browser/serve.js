/** The program of a thread, as a user writes it. */
import { serve } from "/heddle/worker.js";
import * as work from "./work.js";

serve(work);
