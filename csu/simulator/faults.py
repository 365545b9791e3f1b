"""What a simulated camera can be made to do wrong."""

from enum import StrEnum


class Fault(StrEnum):
    """Holds until it is lifted. Each concerns both streams of one camera."""

    FREEZE = "freeze"  # the picture stands still, packets go on
    SILENT = "silent"  # connections stay open and answer, no media is sent
    RESET = "reset"  # connections are reset at once, new ones at their first request
    UNAUTHORISED = "401"  # connections are closed, good credentials are refused
    CLOCK_JUMP = "clock-jump"  # RTP and RTCP clocks are an hour ahead, with a jump at each end
    GARBAGE = "garbage"  # noise in place of every frame


CLOCK_JUMP_S = 3600
