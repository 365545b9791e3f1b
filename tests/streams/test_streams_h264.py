from dataclasses import replace

import pytest
from h264_clip import make_clip
from hypothesis import given, settings
from hypothesis import strategies as st

from streams import h264
from streams.errors import CameraError
from streams.parameters import ParameterSets


@pytest.mark.parametrize("size", [(160, 96), (320, 180), (640, 360), (1918, 1078), (176, 144)])
def test_the_picture_size_as_x264_wrote_it(size: tuple[int, int]) -> None:
    clip = make_clip(*size, frames=1, gop=1)
    assert h264.picture_size(clip.format.sps) == size


@settings(max_examples=500)
@given(st.binary(max_size=60), st.sampled_from((0x67, 0x27, 0x68, 0x41)))
def test_any_bits_give_a_size_or_bad_bits(body: bytes, head: int) -> None:
    for nal in (body, bytes((head,)) + body):
        for read in (h264.picture_size, h264.pps_id):
            try:
                read(nal)
            except h264.BadBits:
                continue
        assert h264.has_b_slice(len(nal).to_bytes(4, "big") + nal) in (True, False)


@settings(max_examples=200)
@given(st.lists(st.binary(min_size=1, max_size=30), max_size=8))
def test_parameter_sets_take_anything_or_refuse_as_garbage(nals: list[bytes]) -> None:
    assert ParameterSets(tuple(nals)) is not None
    sets = ParameterSets()
    try:
        for nal in nals:
            sets.take(bytes((0x67 if len(nal) % 2 else 0x68,)) + nal)
            sets.renew()
    except CameraError:
        return


def test_a_second_picture_parameter_set_stays_with_the_pictures() -> None:
    clip = make_clip()
    sets = ParameterSets((clip.format.sps, clip.format.pps))
    assert sets.format == clip.format
    assert not sets.take(b"\x68\x40")  # identifier 1
    assert sets.renew() is sets.renew()


@pytest.mark.parametrize("changed", ["sps", "pps"])
def test_a_change_of_one_set_alone_is_a_new_format(changed: str) -> None:
    """Of the same size and under the same identifier: nothing but the set itself tells."""
    before = make_clip().format
    sets = ParameterSets((before.sps, before.pps))
    after = replace(before, **{changed: getattr(before, changed) + b"\1"})
    assert sets.take(getattr(after, changed))
    assert sets.format == before
    assert sets.renew() == after != before


@given(st.lists(st.binary(min_size=1, max_size=20).map(lambda b: b.replace(b"\0", b"\1")), max_size=6))
def test_byte_streams_split_at_their_start_codes(nals: list[bytes]) -> None:
    assert h264.split_annexb(b"".join(b"\0\0\0\1" + nal for nal in nals)) == nals
    joined = b"".join(len(nal).to_bytes(4, "big") + nal for nal in nals)
    assert list(h264.iter_nals(joined)) == nals
