/** The wall's WebSocket: JSON text both ways, and binary frames of a 12-byte header followed by fMP4 bytes. */

import { DecodeError, nullable, number, object, oneOf, string, withDefault, type Decoded } from "../lib/decode";

const HEADER_BYTES = 12;

export interface MediaFrame {
  readonly kind: "init" | "fragment";
  readonly isKey: boolean;
  readonly channel: number;
  /** When the camera's picture reached the centre: milliseconds UTC, with a fraction. */
  readonly capturedAt: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Read a binary message; null when it is not one of ours. */
export function parseMedia(buffer: ArrayBuffer): MediaFrame | null {
  if (buffer.byteLength <= HEADER_BYTES) return null;
  const view = new DataView(buffer);
  const kind = view.getUint8(0);
  if (kind > 1) return null;
  return {
    kind: kind === 0 ? "init" : "fragment",
    isKey: (view.getUint8(1) & 1) === 1,
    channel: view.getUint16(2),
    capturedAt: Number(view.getBigUint64(4)) / 1_000,
    bytes: new Uint8Array(buffer, HEADER_BYTES),
  };
}

const MESSAGES = {
  opened: object({ type: oneOf("opened"), tile: string, channel: number, mime: string }),
  refused: object({ type: oneOf("refused"), tile: string, code: string, reason: string }),
  skipped: object({ type: oneOf("skipped"), channel: number, frames: number }),
  lost: object({ type: oneOf("lost"), channel: number, fault: withDefault(string, ""), reason: withDefault(string, "") }),
  back: object({ type: oneOf("back"), channel: number }),
  closed: object({ type: oneOf("closed"), channel: number, code: string, reason: withDefault(string, "") }),
  format: object({ type: oneOf("format"), channel: number, mime: string }),
} as const;

export type ServerMessage = { [K in keyof typeof MESSAGES]: Decoded<(typeof MESSAGES)[K]> }[keyof typeof MESSAGES];

const typed = object({ type: nullable(string) });

/** Read a text message; null when it is unknown or malformed (a newer gateway may say more than we know). */
export function parseMessage(text: string): ServerMessage | null {
  try {
    const value: unknown = JSON.parse(text);
    const { type } = typed(value, "message");
    const name = (Object.keys(MESSAGES) as (keyof typeof MESSAGES)[]).find((known) => known === type);
    return name === undefined ? null : MESSAGES[name](value, "message");
  } catch (error) {
    if (error instanceof DecodeError || error instanceof SyntaxError) return null;
    throw error;
  }
}

export type ClientMessage =
  | { readonly type: "open"; readonly ticket: string; readonly tile: string }
  | { readonly type: "close"; readonly channel: number }
  | { readonly type: "ping" };

/** The gateway's WebSocket address for its HTTP origin. */
export function liveAddress(gatewayOrigin: string): string {
  return `${gatewayOrigin.replace(/^http/, "ws")}/live`;
}
