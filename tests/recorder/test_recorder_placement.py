"""Where a camera records: it stays as long as it can, goes where room is, and doesn't come back by itself."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from recorder.disks import short_names
from recorder.placement import USUAL_BYTES_PER_S, Room, last_place, place

RATE = USUAL_BYTES_PER_S
rooms = st.dictionaries(
    st.sampled_from("abc"),
    st.builds(Room, st.booleans(), st.integers(0, 10**13), st.floats(0, 1e9, allow_nan=False)),
    min_size=1,
)


def test_a_new_camera_goes_where_the_most_room_is_for_what_is_written_there() -> None:
    found = {"small": Room(True, 100, RATE), "large": Room(True, 300, RATE), "busy": Room(True, 1000, 20 * RATE)}
    assert place(None, found, RATE) == "large"
    assert place(None, {name: room for name, room in found.items() if name != "large"}, RATE) == "small"


@given(rooms, st.sampled_from("abcd"), st.floats(0, 1e9, allow_nan=False))
def test_a_camera_stays_while_it_can_and_moves_only_to_one_that_is_ready(
    found: dict[str, Room], now: str, rate: float
) -> None:
    there = place(now, found, rate)
    if now in found and found[now].ready:
        assert there == now
    elif any(room.ready for room in found.values()):
        assert there is not None
        assert found[there].ready
        assert place(there, found, rate) == there
    else:
        assert there == now


def test_the_last_place_is_the_newest() -> None:
    assert last_place({"one": 5, "two": 7, "three": None}) == "two"
    assert last_place({"one": None}) is None


def test_directories_are_called_by_the_end_that_tells_them_apart() -> None:
    paths = [Path("/srv/disk1/csu"), Path("/srv/disk2/csu"), Path("/var/recordings")]
    assert list(short_names(paths).values()) == ["disk1/csu", "disk2/csu", "recordings"]
