import io

import av
import pytest
from h264_clip import avcc, is_key, make_clip
from h265_clip import is_key as is_h265_key
from h265_clip import make_h265_clip, unit_data
from hypothesis import given, settings
from hypothesis import strategies as st

from streams import fmp4
from streams.fmp4 import FormatError, Samples
from streams.movie import Chunk, movie_header
from streams.packets import Packet

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


rows = st.lists(
    st.tuples(st.integers(1, 2**20), st.integers(0, 2**32 - 1), st.booleans(), st.integers(-(2**31), 2**31 - 1)),
    min_size=1,
    max_size=60,
)


@st.composite
def samples(draw) -> Samples:
    drawn = draw(rows)
    sizes, durations, keys, offsets = zip(*drawn, strict=True)
    places = tuple(n for n, is_key in enumerate(keys) if is_key)
    return Samples.of(sizes, durations, places, offsets if draw(st.booleans()) else ())


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**63), samples(), st.binary(max_size=40), st.integers(0, 3))
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
    data = movie_header(chunks, Samples.from_rows(rows, has_offsets=False))
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


@given(samples(), st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_the_first_of_some_samples(wanted, count, last_90k) -> None:
    count = min(count, len(wanted))
    before_90k = sum(wanted.durations_90k[: count - 1])
    first = wanted.first(count, before_90k + last_90k)
    assert (first.duration_90k, first.sizes) == (before_90k + last_90k, wanted.sizes[:count])
    assert first.keys == tuple(key for key in wanted.keys if key < count)
    assert first.offsets_90k == wanted.offsets_90k[:count]


@given(st.lists(samples(), min_size=1, max_size=5))
def test_joined_samples_are_those_behind_each_other(pieces) -> None:
    film = Samples.joined(pieces)
    assert len(film) == sum(map(len, pieces))
    assert list(film.sizes) == [size for piece in pieces for size in piece.sizes]
    assert list(film.durations_90k) == [ticks for piece in pieces for ticks in piece.durations_90k]
    offsets = [offset for piece in pieces for offset in piece.offsets_90k or [0] * len(piece)]
    assert list(film.offsets_90k) == (offsets if any(piece.offsets_90k for piece in pieces) else [])
    assert len(film.keys) == sum(len(piece.keys) for piece in pieces)
    assert len(set(film.keys)) == len(film.keys)
    assert Samples.from_rows(film.rows(), bool(film.offsets_90k)) == film


@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_reordered_pictures_are_shown_in_their_order(codec) -> None:
    clip = make_clip(b_frames=3) if codec == "h264" else make_h265_clip(options="bframes=3:b-adapt=0:open-gop=0")
    data_of = avcc if codec == "h264" else unit_data
    datas = [data_of(unit) for unit in clip.units]
    keys = tuple(n for n, unit in enumerate(clip.units) if (is_key if codec == "h264" else is_h265_key)(unit))
    # Decode times at an even rate from the first picture's on: those that are sent early are shown after it.
    offsets = [(shown - place) * 3600 for place, shown in enumerate(clip.shown)]
    wanted = Samples.of(map(len, datas), [3600] * len(datas), keys, offsets)
    assert min(offsets) < 0 < max(offsets)
    film = movie_header([Chunk(clip.format, len(wanted), wanted.data_bytes)], wanted) + b"".join(datas)
    parts = fmp4.init_segment(clip.format) + fmp4.part_header(1, 0, wanted) + b"".join(datas)
    fragments = fmp4.init_segment(clip.format)
    for place, data in enumerate(datas):
        packet = Packet(data, 0, place in keys, 0.0, clip.format)
        one = fmp4.part_header(
            place + 1, place * 3600, Samples.of([len(data)], [3600], (0,) * packet.is_key, [offsets[place]])
        )
        fragments += fmp4.fragment(place + 1, packet, 3600, place * 3600, offsets[place])
        assert fragments.endswith(one + data)
    for media in (film, parts, fragments):
        frames = decode(media)
        assert [pts - frames[0][0] for pts, _ in frames] == [n * 3600 for n in range(50)]


def test_a_film_needs_a_picture_and_a_box_its_identifier() -> None:
    chunks, samples = film_of(make_clip())
    with pytest.raises(ValueError, match="picture"):
        movie_header([], samples)
    with pytest.raises(ValueError, match="expected 50 samples"):
        movie_header(chunks * 2, samples)
    with pytest.raises(ValueError, match="16"):
        fmp4.uuid_box(b"short", b"")
