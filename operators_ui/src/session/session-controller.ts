/** Who holds the post: login, lock, change of agent, and the end of a session noticed on any call. */

import { Api, explain, nothing, type Answer, type Fetch, type Refused } from "../api/client";
import { session as sessionBody, type Session } from "../api/types";
import { Store } from "../lib/store";
import { fr } from "../strings";

export type PostState =
  | { readonly kind: "starting" }
  | { readonly kind: "unreachable"; readonly reason: string }
  | { readonly kind: "login"; readonly notice: string | null }
  | { readonly kind: "open"; readonly session: Session }
  /** `confirmed` is false until the centre has locked its side too. */
  | { readonly kind: "locked"; readonly session: Session; readonly confirmed: boolean };

const ENDED = new Set(["NO_SESSION", "SESSION_EXPIRED"]);
const LOCKED = "SESSION_LOCKED";
const RETRY_LOCK_MS = 2_000;

export interface Environment {
  readonly now: () => number;
  readonly later: (act: () => void, delay_ms: number) => void;
}

export class SessionController {
  readonly state = new Store<PostState>({ kind: "starting" });
  readonly api: Api;
  /** Server clock minus this machine's, in milliseconds; measured at each session answer. */
  private offset_ms = 0;
  /** Locked by the person at this post: no answer that was under way may open it again. */
  private held = false;

  constructor(fetcher: Fetch, private readonly environment: Environment) {
    this.api = new Api(fetcher, (refused) => this.heard(refused));
  }

  /** The centre's clock, milliseconds UTC. */
  readonly now = (): number => this.environment.now() + this.offset_ms;

  async start(): Promise<void> {
    const answer = await this.timed(() => this.api.get("/api/session", sessionBody));
    if (answer.kind === "failed") this.state.set({ kind: "unreachable", reason: answer.reason });
    else if (answer.kind === "refused") this.state.set({ kind: "login", notice: null });
  }

  /** Returns the sentence to show when the login is refused, else null. */
  async login(login: string, password: string, motif: string | null): Promise<string | null> {
    const body = motif === null ? { login, password } : { login, password, shift_motif: motif };
    const answer = await this.timed(() => this.api.send("POST", "/api/session", body, sessionBody));
    return answer.kind === "ok" ? null : explain(answer);
  }

  async logout(): Promise<void> {
    await this.api.send("DELETE", "/api/session", undefined, nothing);
    this.leave(null);
  }

  /** Pictures leave the screen at once, whatever the centre answers; the request is repeated until it is confirmed. */
  async lock(): Promise<void> {
    const before = this.state.get();
    this.held = true;
    if (before.kind === "open") this.state.set({ kind: "locked", session: before.session, confirmed: false });
    const answer = await this.api.send("POST", "/api/session/lock", {}, nothing);
    const now = this.state.get();
    if (now.kind !== "locked") return;
    const isLocked = answer.kind === "ok" || (answer.kind === "refused" && answer.code === LOCKED);
    if (isLocked) this.state.set({ ...now, confirmed: true });
    else if (!now.confirmed) this.environment.later(() => void this.lock(), RETRY_LOCK_MS);
  }

  async unlock(password: string): Promise<string | null> {
    const answer = await this.api.send("POST", "/api/session/unlock", { password }, nothing);
    if (answer.kind !== "ok") return explain(answer);
    this.held = false;
    await this.start();
    return null;
  }

  async changePassword(password: string, next: string): Promise<string | null> {
    const answer = await this.api.send("PUT", "/api/session/password", { password, new: next }, nothing);
    return answer.kind === "ok" ? null : explain(answer);
  }

  async changeShift(motif: string): Promise<string | null> {
    const answer = await this.api.send("PUT", "/api/session/shift", { motif }, nothing);
    if (answer.kind !== "ok") return explain(answer);
    await this.start();
    return null;
  }

  /** Ask again who holds the post (a hint said that something changed). */
  async refresh(): Promise<void> {
    if (this.state.get().kind === "open") await this.start();
  }

  private async timed(call: () => Promise<Answer<Session>>): Promise<Answer<Session>> {
    const before = this.environment.now();
    const answer = await call();
    const after = this.environment.now();
    if (answer.kind === "ok") {
      this.offset_ms = answer.value.now - (before + after) / 2;
      this.enter(answer.value);
    }
    return answer;
  }

  private enter(session: Session): void {
    this.api.useToken(session.csrf);
    const locked = session.locked || this.held;
    this.state.set(locked ? { kind: "locked", session, confirmed: session.locked } : { kind: "open", session });
  }

  private leave(notice: string | null): void {
    this.api.useToken(null);
    this.held = false;
    this.state.set({ kind: "login", notice });
  }

  private heard(refused: Refused): void {
    const state = this.state.get();
    const held = state.kind === "open" || state.kind === "locked";
    if (held && ENDED.has(refused.code)) this.leave(refused.code === "SESSION_EXPIRED" ? fr.login.expired : fr.login.ended);
    else if (state.kind === "open" && refused.code === LOCKED) {
      this.state.set({ kind: "locked", session: state.session, confirmed: true });
    }
  }
}
