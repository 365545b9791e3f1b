/** Figures as they are written in French. */

const two = new Intl.NumberFormat("fr-FR", { minimumFractionDigits: 2, maximumFractionDigits: 2 });

export const percent = (share: number): string => `${two.format(share)} %`;

/** The share of what was expected that was recorded; null of nothing. Never rounded up to 100 % while something is missing. */
export function recordedShare(recorded_us: number, expected_us: number): string | null {
  if (expected_us === 0) return null;
  const share = Math.floor((recorded_us / expected_us) * 10_000) / 100;
  return percent(Math.min(100, share));
}

/** Hours and minutes: `743 h 59`. */
export function hours(us: number): string {
  const minutes = Math.round(us / 60_000_000);
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")}`;
}
