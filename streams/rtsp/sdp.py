"""The description of a stream (SDP, RFC 8866; parameters of RFC 6184 section 8, RFC 7798 section 7). Pure, bounded.

Lenient: cameras break SDP in every way; a line that makes no sense is passed over, and only what we need must hold.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field

from streams.errors import CameraError, CameraFault

_MAX_LINES = 1000
_CODECS = {"H264": "h264", "H265": "h265", "HEVC": "h265"}  # the last is no registered name, yet some say it
_SETS = {"h264": ("sprop-parameter-sets",), "h265": ("sprop-vps", "sprop-sps", "sprop-pps")}


@dataclass(slots=True)
class Media:
    """One `m=` section. `payload_types` in the order of the camera's preference."""

    kind: str
    payload_types: list[int]
    control: str = ""
    fps: float | None = None
    encodings: dict[int, str] = field(default_factory=dict)
    parameters: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VideoTrack:
    codec: str
    payload_type: int
    control: str
    parameter_sets: tuple[bytes, ...]  # bare NAL units, as the camera ordered them
    fps: float | None = None  # as declared


@dataclass(frozen=True, slots=True)
class Description:
    control: str
    media: tuple[Media, ...]

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(media.kind for media in self.media)

    def video(self) -> VideoTrack:
        """The first track in H.264 or H.265. Raises CameraError NO_VIDEO or UNSUPPORTED_CODEC."""
        others = []
        for media in self.media:
            if media.kind != "video":
                continue
            for payload_type in media.payload_types:
                encoding = media.encodings.get(payload_type, "")
                codec = _CODECS.get(encoding)
                if codec is not None:
                    sets = _parameter_sets(codec, media.parameters.get(payload_type, ""))
                    return VideoTrack(codec, payload_type, media.control, sets, media.fps)
                others.append(encoding or str(payload_type))
        if others:
            raise CameraError(CameraFault.UNSUPPORTED_CODEC, f"video only as {', '.join(others[:5])}")
        raise CameraError(CameraFault.NO_VIDEO, f"tracks: {', '.join(self.kinds[:5]) or 'none'}")


def parse(body: bytes) -> Description:
    control, media = "", list[Media]()
    for line in body.decode("latin-1").splitlines()[:_MAX_LINES]:
        kind, _, value = line.strip().partition("=")
        if kind == "m":
            media.append(_parse_media(value))
        elif kind == "a" and value.startswith("control:"):
            target = value[8:].strip()
            if media:
                media[-1].control = target
            else:
                control = target
        elif kind == "a" and media:
            _add_attribute(media[-1], value)
    return Description(control, tuple(media))


def _parse_media(value: str) -> Media:
    words = value.split()
    types = [int(word) for word in words[3:35] if re.fullmatch(r"\d{1,3}", word) and int(word) < 128]
    kind = words[0].lower() if words else ""
    return Media(kind if re.fullmatch(r"[a-z]{1,20}", kind) else "unknown", types)


def _add_attribute(media: Media, value: str) -> None:
    rate = re.fullmatch(r"framerate:\s*(\d{1,4}(?:\.\d{1,6})?)", value)
    if rate is not None:
        media.fps = float(rate[1])
    match = re.match(r"(rtpmap|fmtp):\s*(\d{1,3})\s+(.*)", value)
    if match is None or int(match[2]) > 127:
        return
    if match[1] == "rtpmap":
        name = re.match(r"[A-Za-z0-9.-]{1,30}", match[3])
        media.encodings[int(match[2])] = name[0].upper() if name else ""
    else:
        media.parameters[int(match[2])] = match[3]


def _parameter_sets(codec: str, parameters: str) -> tuple[bytes, ...]:
    """Raises CameraError UNSUPPORTED_CODEC for H.265 with decoding order numbers, which are in every packet then."""
    if codec == "h265" and re.search(r"sprop-max-don-diff\s*=\s*0*[1-9]", parameters):
        raise CameraError(CameraFault.UNSUPPORTED_CODEC, "H.265 with decoding order numbers")
    sets = []
    for name in _SETS[codec]:
        match = re.search(name + r"\s*=\s*([A-Za-z0-9+/=,]+)", parameters)
        for word in match[1].split(",")[:16] if match else ():
            try:
                sets.append(base64.b64decode(word + "=" * (-len(word) % 4)))
            except binascii.Error:
                continue
    return tuple(nal for nal in sets if nal)
