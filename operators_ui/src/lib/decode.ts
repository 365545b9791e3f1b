/** Turning `unknown` (parsed JSON) into typed values. A decoder returns its value or throws DecodeError with the path. */

export class DecodeError extends Error {}

export type Decoder<T> = (value: unknown, path: string) => T;
export type Decoded<D> = D extends Decoder<infer T> ? T : never;

function wrong(path: string, expected: string): never {
  throw new DecodeError(`${path}: ${expected} expected`);
}

export const string: Decoder<string> = (value, path) =>
  typeof value === "string" ? value : wrong(path, "a string");

export const number: Decoder<number> = (value, path) =>
  typeof value === "number" && Number.isFinite(value) ? value : wrong(path, "a number");

export const boolean: Decoder<boolean> = (value, path) =>
  typeof value === "boolean" ? value : wrong(path, "a boolean");

/** An ISO 8601 instant, as milliseconds since the epoch, UTC. */
export const instant: Decoder<number> = (value, path) => {
  const parsed = typeof value === "string" ? Date.parse(value) : Number.NaN;
  return Number.isNaN(parsed) ? wrong(path, "an ISO 8601 instant") : parsed;
};

export function oneOf<const T extends string>(...allowed: readonly T[]): Decoder<T> {
  return (value, path) => {
    const found = allowed.find((one) => one === value);
    return found ?? wrong(path, allowed.join(" | "));
  };
}

/** null, or absent, or what `inner` reads. */
export function nullable<T>(inner: Decoder<T>): Decoder<T | null> {
  return (value, path) => (value === null || value === undefined ? null : inner(value, path));
}

export function withDefault<T>(inner: Decoder<T>, fallback: T): Decoder<T> {
  return (value, path) => (value === null || value === undefined ? fallback : inner(value, path));
}

export function array<T>(inner: Decoder<T>): Decoder<T[]> {
  return (value, path) =>
    Array.isArray(value) ? value.map((item, i) => inner(item, `${path}[${i}]`)) : wrong(path, "a list");
}

type Shape = Record<string, Decoder<unknown>>;
type FromShape<S extends Shape> = { [K in keyof S]: Decoded<S[K]> };

/** An object with at least these members; others are ignored, so the centre may add some. */
export function object<S extends Shape>(shape: S): Decoder<FromShape<S>> {
  return (value, path) => {
    if (typeof value !== "object" || value === null) return wrong(path, "an object");
    const members = new Map(Object.entries(value));
    const read = Object.entries(shape).map(([name, inner]) => [name, inner(members.get(name), `${path}.${name}`)]);
    return Object.fromEntries(read) as FromShape<S>;
  };
}

/** What is handed back as it came. */
export const asTold: Decoder<unknown> = (value) => value;

/** An object as it came, for a file that is handed on whole. */
export const fields: Decoder<Readonly<Record<string, unknown>>> = (value, path) =>
  typeof value === "object" && value !== null ? Object.fromEntries(Object.entries(value)) : wrong(path, "an object");

/** An object whose members are all of one kind, under any names. */
export function record<T>(inner: Decoder<T>): Decoder<Readonly<Record<string, T>>> {
  return (value, path) => {
    if (typeof value !== "object" || value === null) return wrong(path, "an object");
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, inner(item, `${path}.${name}`)]));
  };
}

/** The first alternative that reads the value. */
export function either<A, B>(first: Decoder<A>, second: Decoder<B>): Decoder<A | B> {
  return (value, path) => {
    try {
      return first(value, path);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      return second(value, path);
    }
  };
}

/** The member `name` of an object, checked by `inner`. */
export function member<T>(name: string, inner: Decoder<T>): Decoder<T> {
  const whole = object({ [name]: inner });
  return (value, path) => whole(value, path)[name] as T;
}
