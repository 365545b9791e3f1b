"""The parameter sets of one stream, kept out of its pictures, and the format they make. Pure."""

from __future__ import annotations

from streams import h264
from streams.errors import CameraError, CameraFault
from streams.packets import VideoFormat

MAX_BYTES = 4096


class ParameterSets:
    """Takes SPS and PPS as they come; `format` changes only when `renew` is called, at a key frame."""

    def __init__(self, nals: tuple[bytes, ...] = ()) -> None:
        """`nals` come from a description. What is wrong there is passed over: the stream may bring better."""
        self.format: VideoFormat | None = None
        self._sps = self._pps = b""
        try:
            for nal in nals:
                self.take(nal)
            self.renew()
        except CameraError:
            self._sps = self._pps = b""

    def take(self, nal: bytes) -> bool:
        """Keeps an SPS or PPS aside; False for a further PPS, which must stay among the pictures.

        Raises CameraError GARBAGE.
        """
        if len(nal) > MAX_BYTES:
            raise CameraError(CameraFault.GARBAGE, f"a parameter set of {len(nal)} bytes")
        kind = nal[0] & 31
        if kind == h264.SPS:
            self._sps = nal
        elif kind == h264.PPS and nal != self._pps:
            try:
                if self._pps and h264.pps_id(nal) != h264.pps_id(self._pps):
                    return False
            except h264.BadBits as error:
                raise CameraError(CameraFault.GARBAGE, f"a picture parameter set: {error}") from None
            self._pps = nal
        return True

    def renew(self) -> VideoFormat | None:
        """The format in force from here on: the same object while nothing changed, None while sets are missing.

        Raises CameraError GARBAGE.
        """
        old = self.format
        if not self._sps or not self._pps or (old and old.sps == self._sps and old.pps == self._pps):
            return old
        try:
            width, height = h264.picture_size(self._sps)
        except h264.BadBits as error:
            raise CameraError(CameraFault.GARBAGE, f"a sequence parameter set: {error}") from None
        self.format = VideoFormat("h264", width, height, self._sps, self._pps)
        return self.format
