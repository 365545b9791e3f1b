import { describe, expect, it } from "vitest";
import { Api, ask, explain, nothing, type Fetch } from "../src/api/client";
import { array, DecodeError, either, instant, nullable, number, object, oneOf, string } from "../src/lib/decode";
import { SessionController } from "../src/session/session-controller";
import { byAuthorisation } from "../src/tables/by-authorisation";
import { daysLeft, validity } from "../src/tables/validity";

describe("decoding", () => {
  const shape = object({ at: instant, n: nullable(number), list: array(oneOf("a", "b")) });

  it("reads what is right and ignores the rest", () => {
    expect(shape({ at: "1970-01-01T00:00:01Z", list: ["a"], more: 1 }, "x")).toEqual({ at: 1_000, n: null, list: ["a"] });
  });

  it.each([
    [null, "x: an object"], [{ at: "demain" }, "x.at"], [{ at: "1970-01-01T00:00:01Z", list: ["c"] }, "x.list[0]"],
    [{ at: 3, list: [] }, "x.at"], [{ at: "1970-01-01T00:00:01Z", n: "1", list: [] }, "x.n"],
  ])("names the place of %j", (value, place) => {
    expect(() => shape(value, "x")).toThrow(DecodeError);
    expect(() => shape(value, "x")).toThrow(place);
  });

  it("takes the first alternative that fits", () => {
    const one = either(object({ a: string }), object({ b: string }));
    expect(one({ b: "x" }, "p")).toEqual({ b: "x" });
    expect(() => one({}, "p")).toThrow("p.b");
  });
});

const answering = (status: number, body: string): Fetch => () => Promise.resolve(new Response(status === 204 ? null : body, { status }));

describe("calls", () => {
  const read = object({ a: number });

  it("end as ok, refused or failed, and never throw", async () => {
    expect(await ask(answering(200, '{"a":1}'), "/", {}, read)).toEqual({ kind: "ok", value: { a: 1 } });
    expect(await ask(answering(403, '{"code":"NO","reason":"Non."}'), "/", {}, read)).toEqual({ kind: "refused", status: 403, code: "NO", reason: "Non." });
    expect(await ask(answering(503, '{"code":"DOWN","reason":"Panne."}'), "/", {}, read)).toMatchObject({ kind: "refused", code: "DOWN" });
    expect(await ask(answering(502, "<html>"), "/", {}, read)).toMatchObject({ kind: "failed" });
    expect(await ask(answering(404, ""), "/", {}, read)).toMatchObject({ kind: "refused", code: "HTTP_404" });
    expect(await ask(answering(200, '{"a":"1"}'), "/", {}, read)).toMatchObject({ kind: "failed" });
    expect(await ask(() => Promise.reject(new TypeError("network")), "/", {}, read)).toMatchObject({ kind: "failed" });
    expect(await ask(answering(204, ""), "/", {}, nothing)).toEqual({ kind: "ok", value: null });
  });

  it("carry the token on unsafe methods", async () => {
    const seen: RequestInit[] = [];
    const api = new Api((_url, init) => {
      seen.push(init);
      return Promise.resolve(new Response("{}"));
    });
    api.useToken("t");
    await api.send("PUT", "/x", { b: 1 }, nothing);
    await api.get("/x", nothing);
    expect(seen[0]).toMatchObject({ method: "PUT", body: '{"b":1}', headers: { "X-CSRF-Token": "t" }, credentials: "same-origin" });
    expect(seen[1]?.headers).not.toHaveProperty("X-CSRF-Token");
  });

  it("explain themselves", () => {
    expect(explain({ kind: "refused", status: 403, code: "NO", reason: "Non." })).toBe("Non.");
    expect(explain({ kind: "refused", status: 403, code: "AUTH_SUSPENDED", reason: "Non." })).toBe("Non. Voyez votre superviseur.");
    expect(explain({ kind: "failed", reason: "Panne." })).toBe("Panne.");
  });
});

const SESSION = {
  account: { id: "1", login: "op", name: "Opérateur", role: "operator", commune: null }, csrf: "c", shift_motif: null,
  centre: "CSU", gateway_origin: "http://gw", locked: false, now: "2026-01-01T00:00:10Z", ends_at: "2026-01-01T12:00:00Z",
};

/** A post whose centre answers by path; a number is a bare status. */
function post(answers: Record<string, unknown>) {
  const table = answers;
  const later: (() => void)[] = [];
  const controller = new SessionController(
    (url, init) => {
      const answer = table[`${init.method} ${url}`];
      if (answer === undefined) return Promise.reject(new TypeError("away"));
      const [status, body] = Array.isArray(answer) ? answer : [200, answer];
      return Promise.resolve(new Response(JSON.stringify(body), { status }));
    },
    { now: () => Date.parse("2026-01-01T00:00:00Z"), later: (act) => void later.push(act) },
  );
  return { controller, table, later };
}

describe("post", () => {
  it("opens with the session that is there, on the centre's clock", async () => {
    const { controller } = post({ "GET /api/session": SESSION });
    await controller.start();
    expect(controller.state.get().kind).toBe("open");
    expect(controller.now()).toBe(Date.parse(SESSION.now));
  });

  it("asks for a login without one, and says when the centre is away", async () => {
    const { controller, table } = post({});
    await controller.start();
    expect(controller.state.get().kind).toBe("unreachable");
    table["GET /api/session"] = [401, { code: "NO_SESSION", reason: "" }];
    await controller.start();
    expect(controller.state.get()).toEqual({ kind: "login", notice: null });
  });

  it("tries by itself until the centre is back", async () => {
    const { controller, table, later } = post({});
    await controller.start();
    await controller.start(); // the button, meanwhile
    table["GET /api/session"] = SESSION;
    later.shift()?.();
    await new Promise((resolve) => setTimeout(resolve));
    expect(controller.state.get().kind).toBe("unreachable"); // only the newest try is repeated
    later.shift()?.();
    await new Promise((resolve) => setTimeout(resolve));
    expect(controller.state.get().kind).toBe("open");
  });

  it("keeps the screen while the centre is away or can't say", async () => {
    const { controller, table } = post({ "GET /api/session": SESSION });
    await controller.start();
    table["GET /api/session"] = [503, { code: "SERVICE_UNAVAILABLE", reason: "Indisponible." }];
    await controller.refresh();
    expect(controller.state.get().kind).toBe("open");
    delete table["GET /api/session"];
    await controller.refresh();
    expect(controller.state.get().kind).toBe("open");
  });

  it("asks for no login when the centre can't say who holds the post", async () => {
    const { controller } = post({ "GET /api/session": [503, { code: "SERVICE_UNAVAILABLE", reason: "Indisponible." }] });
    await controller.start();
    expect(controller.state.get()).toEqual({ kind: "unreachable", reason: "Indisponible." });
  });

  it("says that a post is not closed yet, and tries until it is", async () => {
    const { controller, table, later } = post({ "GET /api/session": SESSION });
    await controller.start();
    await controller.logout();
    expect(controller.state.get()).toMatchObject({ kind: "login", notice: expect.stringContaining("pas encore fermée") });
    table["DELETE /api/session"] = [401, { code: "NO_SESSION", reason: "" }];
    later.shift()?.();
    await new Promise((resolve) => setTimeout(resolve));
    expect(controller.state.get()).toEqual({ kind: "login", notice: null });
  });

  it("takes the pictures away before the centre has closed the session, and offers no login until it has", async () => {
    const { controller } = post({ "GET /api/session": SESSION, "DELETE /api/session": {} });
    await controller.start();
    const left = controller.logout();
    expect(controller.state.get()).toEqual({ kind: "leaving" });
    await left;
    expect(controller.state.get()).toEqual({ kind: "login", notice: null });
  });

  it("closes nothing of who has logged in since", async () => {
    const { controller, table, later } = post({ "GET /api/session": SESSION });
    await controller.start();
    await controller.logout();
    Object.assign(table, { "POST /api/session": SESSION, "DELETE /api/session": {} });
    expect(await controller.login("op", "x", null)).toBeNull();
    later.shift()?.();
    await new Promise((resolve) => setTimeout(resolve));
    expect(controller.state.get().kind).toBe("open");
  });

  it("says why a login is refused", async () => {
    const { controller } = post({ "POST /api/session": [401, { code: "LOGIN_REFUSED", reason: "Non." }] });
    expect(await controller.login("op", "x", null)).toBe("Non.");
  });

  it("changes the password and says why not", async () => {
    const { controller, table } = post({ "PUT /api/session/password": [200, { done: true }] });
    expect(await controller.changePassword("old", "new")).toBeNull();
    table["PUT /api/session/password"] = [401, { code: "LOGIN_REFUSED", reason: "Mot de passe incorrect." }];
    expect(await controller.changePassword("old", "new")).toBe("Mot de passe incorrect.");
  });

  it("hides pictures at once when it is locked, and tries until the centre agrees", async () => {
    const { controller, table, later } = post({ "GET /api/session": SESSION });
    await controller.start();
    const locking = controller.lock();
    expect(controller.state.get()).toMatchObject({ kind: "locked", confirmed: false });
    await locking;
    table["POST /api/session/lock"] = [403, { code: "SESSION_LOCKED", reason: "" }];
    later.shift()?.();
    await Promise.resolve();
    await new Promise((resolve) => setTimeout(resolve));
    expect(controller.state.get()).toMatchObject({ kind: "locked", confirmed: true });
  });

  it("stays locked when an answer from before arrives late", async () => {
    const { controller } = post({ "GET /api/session": SESSION, "POST /api/session/lock": {} });
    await controller.start();
    const late = controller.refresh();
    await controller.lock();
    await late;
    expect(controller.state.get().kind).toBe("locked");
  });

  it("opens again with the password", async () => {
    const { controller, table } = post({ "GET /api/session": { ...SESSION, locked: true } });
    await controller.start();
    expect(controller.state.get()).toMatchObject({ kind: "locked", confirmed: true });
    table["POST /api/session/unlock"] = [401, { code: "LOGIN_REFUSED", reason: "Mot de passe incorrect." }];
    expect(await controller.unlock("?")).toContain("Mot de passe incorrect.");
    Object.assign(table, { "POST /api/session/unlock": {}, "GET /api/session": SESSION });
    expect(await controller.unlock("!")).toBeNull();
    expect(controller.state.get().kind).toBe("open");
  });

  it("notices the end of the session on any call, and says why and when as the centre does", async () => {
    const ended = [401, { code: "SESSION_EXPIRED", reason: "La session s'est fermée à 03:12." }] as const;
    const { controller } = post({ "GET /api/session": SESSION, "GET /api/alarms": ended });
    await controller.start();
    await controller.api.get("/api/alarms", nothing);
    expect(controller.state.get()).toEqual({ kind: "login", notice: "La session s'est fermée à 03:12." });
  });

  it("says so too on a page that is opened after it", async () => {
    const { controller } = post({ "GET /api/session": [401, { code: "SESSION_EXPIRED", reason: "Fermée." }] });
    await controller.start();
    expect(controller.state.get()).toEqual({ kind: "login", notice: "Fermée." });
  });

  it("notices a lock made elsewhere", async () => {
    const { controller } = post({ "GET /api/session": SESSION, "GET /api/alarms": [403, { code: "SESSION_LOCKED", reason: "" }] });
    await controller.start();
    await controller.api.get("/api/alarms", nothing);
    expect(controller.state.get().kind).toBe("locked");
  });
});

it("tells whether a dated fact is in force", () => {
  const fact = { from: 10, to: 20, suspended_at: null, suspended_reason: null };
  expect([5, 10, 19, 20].map((now) => validity(fact, now))).toEqual(["future", "in-force", "in-force", "over"]);
  expect(validity({ ...fact, suspended_at: 12 }, 15)).toBe("suspended");
  expect(validity({ ...fact, to: null }, 1e12)).toBe("in-force");
  expect(daysLeft({ ...fact, to: null }, 0)).toBeNull();
  expect(daysLeft({ ...fact, to: 2 * 86_400_000 }, 1)).toBe(1);
});

it("groups a commune's cameras by arrêté", () => {
  const line = (id: string, reference: string, retention_days: number) => ({
    id, reference, from: 0, to: null, suspended_at: null, suspended_reason: null, finalites: [], visualised: true, recorded: true, retention_days,
  });
  const of = (id: string, ...authorisations: ReturnType<typeof line>[]) => ({ id, number: id, name: "", site: "", regime: "", authorisations });
  const { groups, bare } = byAuthorisation([of("1", line("b", "27-10", 30)), of("2", line("a", "27-9", 15), line("b", "27-10", 30)), of("3")]);
  expect(groups.map((group) => [group.line.reference, group.cameras.map((camera) => camera.id)])).toEqual([["27-9", ["2"]], ["27-10", ["1", "2"]]]);
  expect(bare.map((camera) => camera.id)).toEqual(["3"]);
});
