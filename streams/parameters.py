"""The parameter sets of one stream, kept out of its pictures, and the format they make. Pure."""

from __future__ import annotations

from streams.codecs import H264, Codec
from streams.errors import CameraError, CameraFault
from streams.h264 import BadBits
from streams.packets import VideoFormat

MAX_BYTES = 4096
MAX_FURTHER = 16


class ParameterSets:
    """Takes VPS, SPS and PPS as they come; `format` changes only when `renew` is called, at a key frame."""

    def __init__(self, nals: tuple[bytes, ...] = (), codec: Codec = H264) -> None:
        """`nals` come from a description. What is wrong there is passed over: the stream may bring better.

        `further` are the PPS beyond the first that only the description names, as length-prefixed NAL units: the
        format has room for one, so they must be put before each key frame.
        """
        self.format: VideoFormat | None = None
        self.further = b""
        self._codec = codec
        self._sps = self._pps = self._vps = b""
        further: list[bytes] = []
        try:
            sets = (nal for nal in nals if codec.kind_of(nal[0]) in (codec.vps, codec.sps, codec.pps))
            further += (nal for nal in sets if not self.take(nal))
            self.renew()
        except CameraError:
            self._sps = self._pps = self._vps = b""
        else:
            self.further = b"".join(len(nal).to_bytes(4, "big") + nal for nal in further[:MAX_FURTHER])

    def take(self, nal: bytes) -> bool:
        """Keeps a parameter set aside; False for a further PPS, which must stay among the pictures.

        Raises CameraError GARBAGE.
        """
        if len(nal) > MAX_BYTES:
            raise CameraError(CameraFault.GARBAGE, f"a parameter set of {len(nal)} bytes")
        codec = self._codec
        kind = codec.kind_of(nal[0])
        if kind == codec.sps:
            self._sps = nal
        elif kind == codec.vps:
            self._vps = nal
        elif kind == codec.pps and nal != self._pps:
            try:
                if self._pps and codec.pps_id(nal) != codec.pps_id(self._pps):
                    return False
            except BadBits as error:
                raise CameraError(CameraFault.GARBAGE, f"a picture parameter set: {error}") from None
            self._pps = nal
        return True

    def renew(self) -> VideoFormat | None:
        """The format in force from here on: the same object while nothing changed, None while sets are missing.

        Raises CameraError GARBAGE.
        """
        old, codec = self.format, self._codec
        if not self._sps or not self._pps or (codec.vps >= 0 and not self._vps):
            return old
        if old and old.sps == self._sps and old.pps == self._pps and old.vps == self._vps:
            return old
        try:
            width, height = codec.picture_size(self._sps)
        except BadBits as error:
            raise CameraError(CameraFault.GARBAGE, f"a sequence parameter set: {error}") from None
        self.format = VideoFormat(codec.name, width, height, self._sps, self._pps, self._vps)
        return self.format
