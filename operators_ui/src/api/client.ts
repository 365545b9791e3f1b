/** Calls to the centre. Every call ends as `ok`, `refused` (the centre says no and why) or `failed` (no usable answer). */

import { DecodeError, nullable, object, string, type Decoder } from "../lib/decode";
import { fr } from "../strings";

export interface Refused {
  readonly kind: "refused";
  readonly status: number;
  readonly code: string;
  readonly reason: string;
}
export interface Failed {
  readonly kind: "failed";
  readonly reason: string;
}
export type Answer<T> = { readonly kind: "ok"; readonly value: T } | Refused | Failed;

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** A centre that says nothing for this long is away; sending a password takes it a while. */
const READ_LIMIT_MS = 6_000;
const SEND_LIMIT_MS = 20_000;

const refusalBody = object({ code: nullable(string), reason: nullable(string) });
export const nothing: Decoder<null> = () => null;

/** Send one request and read its answer; never throws. Status 204 is read as an empty object. */
export async function ask<T>(fetcher: Fetch, url: string, init: RequestInit, decoder: Decoder<T>): Promise<Answer<T>> {
  try {
    const limit_ms = (init.method ?? "GET") === "GET" ? READ_LIMIT_MS : SEND_LIMIT_MS;
    const response = await fetcher(url, { ...init, signal: AbortSignal.timeout(limit_ms) });
    const body: unknown = response.status === 204 ? {} : await response.json().catch(() => null);
    if (!response.ok) return refusal(response.status, body);
    return { kind: "ok", value: decoder(body, "answer") };
  } catch (error) {
    if (error instanceof DecodeError) return { kind: "failed", reason: fr.failure.unexpected(error.message) };
    return { kind: "failed", reason: fr.failure.unreachable };
  }
}

/** A 5xx is a failure of the centre, not a decision of it, unless it carries a code of its own. */
function refusal(status: number, body: unknown): Refused | Failed {
  const known = typeof body === "object" && body !== null ? refusalBody(body, "refusal") : null;
  if (known?.code) return { kind: "refused", status, code: known.code, reason: known.reason ?? fr.failure.noReason };
  if (status >= 500) return { kind: "failed", reason: fr.failure.broken(status) };
  return { kind: "refused", status, code: `HTTP_${status}`, reason: fr.failure.noReason };
}

export type Method = "POST" | "PUT" | "DELETE";

export class Api {
  private csrf: string | null = null;

  /** `onRefused` hears every refusal, so that one place can notice that the session has ended. */
  constructor(
    private readonly fetcher: Fetch,
    private readonly onRefused: (refused: Refused) => void = () => undefined,
  ) {}

  useToken(csrf: string | null): void {
    this.csrf = csrf;
  }

  get<T>(path: string, decoder: Decoder<T>): Promise<Answer<T>> {
    return this.call(path, { method: "GET", headers: { Accept: "application/json" } }, decoder);
  }

  send<T>(method: Method, path: string, body: unknown, decoder: Decoder<T>): Promise<Answer<T>> {
    const headers: Record<string, string> = { Accept: "application/json", "Content-Type": "application/json" };
    if (this.csrf !== null) headers["X-CSRF-Token"] = this.csrf;
    return this.call(path, { method, headers, body: body === undefined ? null : JSON.stringify(body) }, decoder);
  }

  private async call<T>(path: string, init: RequestInit, decoder: Decoder<T>): Promise<Answer<T>> {
    const answer = await ask(this.fetcher, path, { ...init, credentials: "same-origin", cache: "no-store" }, decoder);
    if (answer.kind === "refused") this.onRefused(answer);
    return answer;
  }
}

/** The sentence to show for an answer that is not `ok`, with whom to turn to where the centre says no. */
export function explain(answer: Refused | Failed): string {
  return answer.kind === "refused" ? `${answer.reason} ${fr.advice(answer.code)}`.trim() : answer.reason;
}
