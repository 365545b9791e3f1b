"""The stamp in each frame."""

from hypothesis import given
from hypothesis import strategies as st

from csu.simulator import sei
from csu.simulator.sei import Stamp

_U64 = st.integers(0, 2**64 - 1) | st.sampled_from([0, 1, 0x0000_0100_0003_0000])


@given(_U64, _U64, st.integers(0, 2**16 - 1))
def test_round_trip_without_start_code_emulation(at_us: int, number: int, camera: int) -> None:
    stamp = Stamp(at_us, number, camera)
    nal = sei.nal(stamp)
    assert nal[0] == 6
    assert all(code not in nal for code in (b"\0\0\0", b"\0\0\1", b"\0\0\2"))
    assert sei.find(b"\0\0\0\x30" + nal + b"\0\0\0\x02\x65\x88") == stamp


def test_absent_or_cut() -> None:
    assert sei.find(b"\0\0\0\x02\x65\x88") is None
    assert sei.find(sei.nal(Stamp(1, 2, 3))[:20]) is None
