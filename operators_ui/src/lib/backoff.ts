/** How long to wait before try number `attempt` (0 is the first one again): doubling from 1 s to 30 s, jittered by half. */
export function backoff_ms(attempt: number, random: number): number {
  const full = Math.min(30_000, 1_000 * 2 ** Math.min(attempt, 10));
  return full * (0.5 + random / 2);
}
