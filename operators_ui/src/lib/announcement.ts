/** An announced interruption in one sentence. Pure. */

import type { Announced } from "../api/types";
import { fr } from "../strings";
import { dayAndClock } from "./time";

export const announcement = (one: Announced): string => `${fr.cause(one.cause)} du ${dayAndClock(one.from)} au ${dayAndClock(one.to)}`;
