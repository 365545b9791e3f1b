/** What keeping everything until its deadline takes, in words and figures that a person can check by hand. Pure. */

import type { Directory } from "../api/types";

const UNITS = ["o", "ko", "Mo", "Go", "To", "Po"] as const;

/** Decimal units, three significant digits, as disks are sold: `1,86 To`, `12,5 Go`, `300 Go`. */
export function size(bytes: number): string {
  let value = Math.max(0, bytes);
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${value.toFixed(digits).replace(".", ",")} ${UNITS[unit] ?? ""}`;
}

export interface Balance {
  /** What deadlines and requisitions want kept. */
  readonly wanted_bytes: number;
  /** Positive: to spare; negative: missing. */
  readonly spare_bytes: number;
  /** How many days of recording at the last day's rate the need stands for; null before anything was recorded. */
  readonly days: number | null;
}

export function balance(pressure: NonNullable<Directory["pressure"]>): Balance {
  const { capacity_bytes, needed_bytes, held_bytes, bytes_per_day } = pressure;
  const wanted_bytes = needed_bytes + held_bytes;
  return {
    wanted_bytes,
    spare_bytes: capacity_bytes - wanted_bytes,
    days: bytes_per_day > 0 ? needed_bytes / bytes_per_day : null,
  };
}

/** `14,8 jours`. */
export const days = (count: number): string => `${count.toFixed(1).replace(".", ",")} jours`;
