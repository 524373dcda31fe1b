/** `heddle/worker`, as it is bundled; its types are those of worker.ts. */
import { house } from "../house.js";

export const { serve } = house;
