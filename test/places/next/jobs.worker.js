import { serve } from "heddle/worker";
import * as work from "./work.js";

serve(work);
