/** The program of heddle's own threads. */
import { house } from "./house.js";

house.serve();
