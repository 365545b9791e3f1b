"""What a simulated camera can be made to do wrong."""

from enum import StrEnum


class Fault(StrEnum):
    """Holds until it is lifted. Each concerns both streams of one camera."""

    FREEZE = "freeze"  # the picture stands still, packets go on
    SILENT = "silent"  # connections stay open and answer, no media is sent
    RESET = "reset"  # connections are reset at once, new ones at their first request
    UNAUTHORISED = "401"  # connections are closed, good credentials are refused
    CLOCK_JUMP = "clock-jump"  # RTP and RTCP clocks are an hour ahead, with a jump at each end
    CLOCK_AHEAD = "clock-ahead"  # reports tell a time that is three seconds ahead; RTP clocks are right
    CLOCK_1970 = (
        "clock-1970"  # reports tell the first day of 1970, as of a camera that nobody set; RTP clocks are right
    )
    GARBAGE = "garbage"  # noise in place of every frame
    TRUNCATED_NAL = "truncated-nal"  # of one frame in ten the last packet is never sent, nor counted
    MISSING_SPS = "missing-sps"  # neither the description nor the stream has a sequence parameter set
    BACKWARDS = "backwards"  # one frame in ten is stamped 60 ms early, before the one before it
    TRICKLE = "trickle"  # byte after byte, far too slowly
    WRONG_EXTENSIONS = "wrong-extensions"  # header extensions, in one frame in ten longer than their packets
    GOODBYE = "goodbye"  # says BYE every four seconds, and goes on
    # Odd, yet nothing that a recorder may lose a picture by.
    RESIZE = "resize"  # every four seconds another size, with parameter sets of its own
    NEW_SOURCE = "new-source"  # every four seconds another SSRC
    TWO_SOURCES = "two-sources"  # another SSRC's packets between its own
    AGGREGATES = "aggregates"  # what comes before a picture in one packet (STAP-A, AP)
    ODD_SEI = "odd-sei"  # a message larger than a packet before each picture, and one behind it
    SETS_DESCRIBED = "sets-described"  # parameter sets in the description only
    SETS_IN_BAND = "sets-in-band"  # and in the stream only
    REDIRECT = "redirect"  # the description is elsewhere
    ODD_BASE = "odd-base"  # Content-Base names an address that only the camera itself knows
    SHORT_SESSION = "short-session"  # ends after four seconds without a request
    OPTIONS_ONLY = "options-only"  # so too, and knows no GET_PARAMETER
    HANG_UP = "hang-up"  # where TCP is refused (`--udp`), the connection is closed with the refusal
    # What the network does to datagrams; over TCP nothing.
    REORDERING = "reordering"  # one packet in seven comes after the three that follow it
    DUPLICATION = "duplication"  # one packet in seven comes twice
    LOSS = "loss"  # one packet in thirty-one never comes; small ones are spared


CLOCK_JUMP_S = 3600
CLOCK_AHEAD_S = 3
EARLY_US = 60_000
TRICKLE_BYTES = 1
SHORT_SESSION_S = 4
PERIOD_FRAMES = 100  # of what happens every four seconds: whole GOPs of either stream


def concerns(number: int) -> bool:
    """Whether a fault that spares nine frames in ten strikes this one; key frames are spared."""
    return number % 10 == 5
