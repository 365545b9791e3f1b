import { describe, expect, it } from "vitest";
import { liveAddress, parseMedia, parseMessage } from "../src/live/codec";
import { decodeTimeOf, timescaleOf } from "../src/live/boxes";

function media(kind: number, flags: number, channel: number, at_us: bigint, payload: number[]): ArrayBuffer {
  const view = new DataView(new ArrayBuffer(12 + payload.length));
  view.setUint8(0, kind);
  view.setUint8(1, flags);
  view.setUint16(2, channel);
  view.setBigUint64(4, at_us);
  payload.forEach((byte, i) => view.setUint8(12 + i, byte));
  return view.buffer;
}

describe("binary frames", () => {
  it("reads the header of a key fragment", () => {
    const frame = parseMedia(media(1, 1, 513, 1_700_000_000_123_456n, [7, 8, 9]));
    expect(frame).toMatchObject({ kind: "fragment", isKey: true, channel: 513, capturedAt: 1_700_000_000_123.456 });
    expect([...(frame?.bytes ?? [])]).toEqual([7, 8, 9]);
  });

  it("tells an init segment", () => expect(parseMedia(media(0, 0, 1, 0n, [1]))?.kind).toBe("init"));

  it("refuses what is too short or of another kind", () => {
    expect(parseMedia(new ArrayBuffer(12))).toBeNull();
    expect(parseMedia(media(2, 0, 1, 0n, [1]))).toBeNull();
  });
});

describe("text messages", () => {
  it("reads each known one", () => {
    expect(parseMessage('{"type":"opened","tile":"t","channel":3,"camera":"c","mime":"m"}')).toEqual({
      type: "opened", tile: "t", channel: 3, mime: "m",
    });
    expect(parseMessage('{"type":"closed","channel":3,"code":"X","reason":"r"}')).toMatchObject({ code: "X" });
    expect(parseMessage('{"type":"lost","channel":3,"fault":"timeout"}')).toMatchObject({ reason: "" });
  });

  it.each(["", "{", "null", "[]", '{"type":"later"}', '{"type":"opened","tile":1}', '{"type":7}'])(
    "answers null to %s", (text) => expect(parseMessage(text)).toBeNull(),
  );
});

it("names the WebSocket of an origin", () => {
  expect(liveAddress("https://csu.example.fr")).toBe("wss://csu.example.fr/live");
  expect(liveAddress("http://localhost:8081")).toBe("ws://localhost:8081/live");
});

const text = (name: string): number[] => [...name].map((letter) => letter.charCodeAt(0));
const u32 = (value: number): number[] => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255);
const box = (type: string, ...content: number[][]): number[] => {
  const body = content.flat();
  return [...u32(8 + body.length), ...text(type), ...body];
};
const bytes = (content: number[]): Uint8Array => new Uint8Array(content);

describe("boxes", () => {
  const mdhd = box("mdhd", [0, 0, 0, 0], u32(0), u32(0), u32(90_000), u32(0));
  const init = [...box("ftyp", text("isom")), ...box("moov", box("mvhd", u32(0)), box("trak", box("tkhd", u32(0)), box("mdia", mdhd)))];

  it("finds the timescale", () => expect(timescaleOf(bytes(init))).toBe(90_000));

  it("finds the decode time in both widths", () => {
    const wide = box("tfdt", [1, 0, 0, 0], u32(2), u32(5));
    const short = box("tfdt", [0, 0, 0, 0], u32(77));
    const fragment = (tfdt: number[]): Uint8Array => bytes([...box("moof", box("mfhd", u32(0), u32(1)), box("traf", box("tfhd", u32(0)), tfdt)), ...box("mdat", [1, 2])]);
    expect(decodeTimeOf(fragment(wide))).toBe(2 * 2 ** 32 + 5);
    expect(decodeTimeOf(fragment(short))).toBe(77);
  });

  it("answers null to whatever is cut or strange", () => {
    for (let length = 0; length < init.length; length++) {
      const cut = timescaleOf(bytes(init.slice(0, length)));
      expect(cut).toBeNull();
    }
    expect(decodeTimeOf(bytes([...u32(4), ...text("moof")]))).toBeNull();
    expect(decodeTimeOf(bytes([...u32(0), ...text("moof"), 1, 2, 3]))).toBeNull();
  });
});
