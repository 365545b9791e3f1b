import io

import av
import pytest
from h264_clip import make_clip
from hypothesis import given, settings
from hypothesis import strategies as st

from streams import fmp4
from streams.fmp4 import FormatError, Samples
from streams.movie import Chunk, movie_header

SEAL = bytes(range(16))


def decode(data: bytes) -> list[tuple[int, bool]]:
    with av.open(io.BytesIO(data)) as container:
        assert [stream.type for stream in container.streams] == ["video"]
        return [(frame.pts, frame.key_frame) for frame in container.decode(video=0)]


def samples_of(packets, duration_90k: int = 3600) -> Samples:
    keys = tuple(n for n, packet in enumerate(packets) if packet.is_key)
    return Samples.of((len(p.data) for p in packets), [duration_90k] * len(packets), keys)


def test_the_format_names_itself_as_browsers_want_it() -> None:
    clip = make_clip()
    assert clip.format.mime == f"avc1.{clip.format.sps[1]:02x}{clip.format.sps[2]:02x}{clip.format.sps[3]:02x}"


def test_a_file_of_parts_decodes_completely() -> None:
    clip = make_clip()
    packets = clip.packets()
    data = fmp4.init_segment(clip.format, fmp4.uuid_box(SEAL, b"whose"))
    for sequence, at in enumerate(range(0, 50, 10), 1):
        part = packets[at : at + 10]
        data += fmp4.part_header(sequence, at * 3600, samples_of(part), fmp4.uuid_box(SEAL, b"sha"))
        data += b"".join(packet.data for packet in part)
    frames = decode(data)
    assert [pts for pts, _ in frames] == [n * 3600 for n in range(50)]
    assert [n for n, (_, key) in enumerate(frames) if key] == [0, 25]


def test_fragments_of_one_picture_decode() -> None:
    clip = make_clip()
    data = fmp4.init_segment(clip.format)
    for number, packet in enumerate(clip.packets()):
        piece = fmp4.fragment(number + 1, packet, 3600, number * 3600)
        assert piece == fmp4.part_header(number + 1, number * 3600, samples_of([packet])) + packet.data
        data += piece
    assert len(decode(data)) == 50


def test_init_reads_back() -> None:
    clip = make_clip()
    data = fmp4.init_segment(clip.format, fmp4.uuid_box(SEAL, b"whose"))
    init = fmp4.parse_init(data + b"rest")
    assert init == fmp4.Init(clip.format, {SEAL: b"whose"}, len(data))


rows = st.lists(st.tuples(st.integers(1, 2**20), st.integers(0, 2**32 - 1), st.booleans()), min_size=1, max_size=60)
samples = rows.map(
    lambda rows: Samples.of((r[0] for r in rows), (r[1] for r in rows), tuple(n for n, r in enumerate(rows) if r[2]))
)


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**63), samples, st.binary(max_size=40), st.integers(0, 3))
def test_part_headers_read_back(sequence, base, wanted, payload, lead) -> None:
    header = fmp4.part_header(sequence, base, wanted, fmp4.uuid_box(SEAL, payload))
    part = fmp4.parse_part_header(bytes(lead) + header, lead)
    assert (part.sequence, part.base_decode_90k, part.samples) == (sequence, base, wanted)
    assert part.uuids == {SEAL: payload}
    assert part.header_size == len(header)
    assert part.size == len(header) + wanted.data_bytes


@settings(max_examples=200)
@given(st.data())
def test_damaged_headers_are_refused_and_never_anything_else(data) -> None:
    clip = make_clip()
    whole = bytearray(
        data.draw(
            st.sampled_from(
                [
                    fmp4.init_segment(clip.format),
                    fmp4.part_header(1, 0, Samples.of([9], [3600], (0,)), fmp4.uuid_box(SEAL, b"")),
                ]
            )
        )
    )
    for at in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=5)):
        whole[at] ^= data.draw(st.integers(1, 255))
    cut = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    for parse in (fmp4.parse_init, fmp4.parse_part_header):
        try:
            parse(cut)
        except FormatError:
            continue


def test_a_torn_tail_ends_the_boxes_quietly() -> None:
    part = fmp4.part_header(1, 0, Samples.of([4], [3600], (0,))) + b"data"
    for cut in range(len(part), len(part) * 2):
        torn = (part + part)[:cut]
        kinds = [item.kind for item in fmp4.iter_boxes(torn)]
        assert kinds[:2] == [b"moof", b"mdat"]
        assert b"mdat" not in kinds[2:]


def test_a_film_across_two_formats_decodes_at_its_own_times() -> None:
    small, large = make_clip(), make_clip(320, 192, 30, 15)
    first, second = small.packets(), large.packets()
    pieces = [
        (small.format, first[:25], 3600),
        (small.format, first[25:], 3600),
        (large.format, second, 3600),
        (small.format, first[:25], 7200),
    ]
    chunks = [Chunk(format, len(packets), sum(len(p.data) for p in packets)) for format, packets, _ in pieces]
    rows = b"".join(samples_of(packets, duration_90k).rows() for _, packets, duration_90k in pieces)
    data = movie_header(chunks, Samples.from_rows(rows))
    data += b"".join(p.data for _, packets, _ in pieces for p in packets)
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.video[0]
        assert stream.duration == (50 + 30) * 3600 + 25 * 7200
        frames = [(frame.pts, frame.width, frame.key_frame) for frame in container.decode(stream)]
    assert [width for _, width, _ in frames] == [160] * 50 + [320] * 30 + [160] * 25
    assert frames[80][0] == 80 * 3600
    assert frames[81][0] == 80 * 3600 + 7200
    assert [n for n, frame in enumerate(frames) if frame[2]] == [0, 25, 50, 65, 80]


def film_of(clip) -> tuple[list[Chunk], Samples]:
    samples = samples_of(clip.packets())
    return [Chunk(clip.format, len(samples), samples.data_bytes)], samples


def test_the_same_film_has_the_same_bytes() -> None:
    clip = make_clip()
    assert movie_header(*film_of(clip)) == movie_header(*film_of(clip))


@given(samples, st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_the_first_of_some_samples(wanted, count, last_90k) -> None:
    count = min(count, len(wanted))
    before_90k = sum(wanted.durations_90k[: count - 1])
    first = wanted.first(count, before_90k + last_90k)
    assert (first.duration_90k, first.sizes) == (before_90k + last_90k, wanted.sizes[:count])
    assert first.keys == tuple(key for key in wanted.keys if key < count)


def test_a_film_needs_a_picture_and_a_box_its_identifier() -> None:
    chunks, samples = film_of(make_clip())
    with pytest.raises(ValueError, match="picture"):
        movie_header([], samples)
    with pytest.raises(ValueError, match="expected 50 samples"):
        movie_header(chunks * 2, samples)
    with pytest.raises(ValueError, match="16"):
        fmp4.uuid_box(b"short", b"")
