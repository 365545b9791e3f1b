/** The two facts that the player needs from fMP4 bytes (ISO/IEC 14496-12): the timescale, and when a fragment starts. */

interface Box {
  readonly type: string;
  readonly start: number;
  readonly end: number;
}

/** Boxes lying between two offsets; stops at the first one that does not fit. */
function* boxes(view: DataView, start: number, end: number): Generator<Box> {
  let at = start;
  while (at + 8 <= end) {
    const short = view.getUint32(at);
    const wide = short === 1 && at + 16 <= end;
    const size = wide ? Number(view.getBigUint64(at + 8)) : short === 0 ? end - at : short;
    const header = wide ? 16 : 8;
    if (size < header || at + size > end) return;
    const type = String.fromCharCode(...[4, 5, 6, 7].map((i) => view.getUint8(at + i)));
    yield { type, start: at + header, end: at + size };
    at += size;
  }
}

/** Payload of the box at this path of types, first match at each level. */
function find(bytes: Uint8Array, path: readonly string[]): DataView | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let from = 0;
  let to = view.byteLength;
  for (const type of path) {
    let found: Box | null = null;
    for (const box of boxes(view, from, to)) {
      if (box.type === type) {
        found = box;
        break;
      }
    }
    if (found === null) return null;
    ({ start: from, end: to } = found);
  }
  return new DataView(bytes.buffer, bytes.byteOffset + from, to - from);
}

/** Ticks per second of the first track of an init segment; null when it can't be read. */
export function timescaleOf(init: Uint8Array): number | null {
  const mdhd = find(init, ["moov", "trak", "mdia", "mdhd"]);
  const offset = mdhd === null || mdhd.byteLength < 1 ? 0 : mdhd.getUint8(0) === 1 ? 20 : 12;
  if (mdhd === null || mdhd.byteLength < offset + 4) return null;
  return mdhd.getUint32(offset) || null;
}

/** baseMediaDecodeTime of a fragment, in ticks; null when it can't be read. */
export function decodeTimeOf(fragment: Uint8Array): number | null {
  const tfdt = find(fragment, ["moof", "traf", "tfdt"]);
  if (tfdt === null || tfdt.byteLength < 8) return null;
  if (tfdt.getUint8(0) !== 1) return tfdt.getUint32(4);
  return tfdt.byteLength < 12 ? null : Number(tfdt.getBigUint64(4));
}
