"""What can go wrong between us and a camera.

CameraError is the only exception that leaves this room for something the camera or the network did. Its
fault says whose turn it is: credentials and addresses want a person, the rest is tried again.
"""

from __future__ import annotations

from enum import StrEnum


class CameraFault(StrEnum):
    UNREACHABLE = "unreachable"  # no route, refused, name unknown
    REFUSED_CREDENTIALS = "refused_credentials"
    TIMEOUT = "timeout"  # connected or connecting, no answer in time
    STALLED = "stalled"  # the session stands, no picture comes
    RESET = "reset"  # the connection broke
    CLOSED = "closed"  # the camera ended the session
    PROTOCOL = "protocol"  # an answer that RTSP does not allow, or a refusal
    NOT_FOUND = "not_found"  # the address names no stream
    NO_VIDEO = "no_video"  # the stream has no video track
    UNSUPPORTED_CODEC = "unsupported_codec"
    GARBAGE = "garbage"  # bytes that are no RTSP, RTP or H.264 at all


class CameraError(Exception):
    """The camera, or the way to it, failed. `detail` is English, for logs, and holds no secret."""

    def __init__(self, fault: CameraFault, detail: str) -> None:
        super().__init__(f"{fault.value}: {detail}")
        self.fault = fault
        self.detail = detail
