/** Who holds the post: login, lock, change of agent, and the end of a session noticed on any call. */

import { Api, explain, nothing, type Answer, type Fetch, type Refused } from "../api/client";
import { session as sessionBody, type Session } from "../api/types";
import { Store } from "../lib/store";
import { fr } from "../strings";

export type PostState =
  | { readonly kind: "starting" }
  | { readonly kind: "unreachable"; readonly reason: string }
  | { readonly kind: "login"; readonly notice: string | null }
  /** The person leaves; nobody logs in before the centre has answered, which would take the new session's cookie away. */
  | { readonly kind: "leaving" }
  | { readonly kind: "open"; readonly session: Session }
  /** `confirmed` is false until the centre has locked its side too. */
  | { readonly kind: "locked"; readonly session: Session; readonly confirmed: boolean };

/** The centre says why and when. */
const EXPIRED = "SESSION_EXPIRED";
const ENDED = new Set(["NO_SESSION", EXPIRED]);
const LOCKED = "SESSION_LOCKED";
const RETRY_LOCK_MS = 2_000;
const RETRY_START_MS = 3_000;

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
  /** The person has left the post, and the centre has not said yet that the session is closed. */
  private closing = false;
  /** Counts tries to reach the centre: only the newest is repeated. */
  private tries = 0;

  constructor(fetcher: Fetch, private readonly environment: Environment) {
    this.api = new Api(fetcher, (refused) => this.heard(refused));
  }

  /** The centre's clock, milliseconds UTC. */
  readonly now = (): number => this.environment.now() + this.offset_ms;

  /** Who holds the post. A centre that is away or can't say does not end what is on the screen: it is asked again. */
  async start(): Promise<void> {
    this.tries++;
    const answer = await this.timed(() => this.api.get("/api/session", sessionBody));
    if (answer.kind === "ok") return;
    const { kind } = this.state.get();
    if (kind === "open" || kind === "locked") return;
    if (answer.kind === "refused" && ENDED.has(answer.code)) {
      if (kind !== "login") this.state.set({ kind: "login", notice: answer.code === EXPIRED ? answer.reason : null });
      return;
    }
    this.state.set({ kind: "unreachable", reason: answer.reason });
    const mine = ++this.tries;
    this.environment.later(() => mine === this.tries && void this.start(), RETRY_START_MS);
  }

  /** Returns the sentence to show when the login is refused, else null. */
  async login(login: string, password: string, motif: string | null): Promise<string | null> {
    this.closing = false;
    const body = motif === null ? { login, password } : { login, password, shift_motif: motif };
    const answer = await this.timed(() => this.api.send("POST", "/api/session", body, sessionBody));
    return answer.kind === "ok" ? null : explain(answer);
  }

  /** The screen is left whatever the centre answers, and before: pictures that the post closes by itself are no cut in the
   * journal. The request is repeated until it has closed the session, or until somebody logs in here, which closes it too. */
  async logout(): Promise<void> {
    this.closing = true;
    if (this.state.get().kind !== "login") this.state.set({ kind: "leaving" });
    const answer = await this.api.send("DELETE", "/api/session", undefined, nothing);
    if (!this.closing) return;
    if (answer.kind === "ok" || (answer.kind === "refused" && ENDED.has(answer.code))) return this.leave(null);
    this.held = false;
    this.state.set({ kind: "login", notice: fr.login.notClosed });
    this.environment.later(() => this.closing && void this.logout(), RETRY_LOCK_MS);
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
    this.closing = false;
    this.state.set({ kind: "login", notice });
  }

  private heard(refused: Refused): void {
    const state = this.state.get();
    const held = state.kind === "open" || state.kind === "locked";
    if (held && !this.closing && ENDED.has(refused.code)) this.leave(refused.code === EXPIRED ? refused.reason : fr.login.ended);
    else if (state.kind === "open" && refused.code === LOCKED) {
      this.state.set({ kind: "locked", session: state.session, confirmed: true });
    }
  }
}
