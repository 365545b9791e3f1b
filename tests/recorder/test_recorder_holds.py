"""Holds: what a requisition names outlives its deadline, the index and the orders; only two persons free it."""

from datetime import datetime
from pathlib import Path
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from recorder_support import CAMERA, DAY_US, OTHER, START_US, Bench, bench, packets, record, start

from recorder.check import check
from recorder.decisions import Hold, Release, sign_hold, sign_release, verify_hold, verify_release
from recorder.destruction import destroy_due
from recorder.holds import Rulings, list_holds, put_hold, release_hold, restore_holds
from recorder.sealed import OrderRefused, key_id, seal
from streams.ticks import at_from_us

KEY = Ed25519PrivateKey.generate()
KEYS = {key_id(KEY.public_key()): KEY.public_key()}
LATER_US = START_US + 20 * DAY_US


def _at(seconds: float) -> datetime:
    return at_from_us(START_US + round(seconds * 1_000_000))


def _hold(from_s: float, to_s: float, camera: str = CAMERA) -> Hold:
    return Hold(str(uuid4()), camera, _at(from_s), _at(to_s), "PV 2026/00417", at_from_us(START_US))


def _put(made: Bench, hold: Hold, now_us: int = START_US) -> tuple[int, int, int | None, int | None]:
    answer = put_hold(made.storage, made.index, hold, sign_hold(hold, KEY), now_us)
    made.index.commit()
    return answer


def _release(made: Bench, hold: Hold) -> None:
    release = Release("hold", hold.id, ("first", "second"))
    release_hold(made.storage, made.index, release, sign_release(release, KEY), START_US)
    made.index.commit()


def _spans(made: Bench) -> list[tuple[float, float]]:
    rows = made.index.query("SELECT start_us, end_us FROM segment ORDER BY camera, start_us")
    return [((a - START_US) / 1e6, (b - START_US) / 1e6) for a, b in rows]


def test_only_the_named_camera_and_window_outlive_the_deadline(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(25 * 400))
        record(made.store, OTHER, packets(25 * 400))
        before = _spans(made)
        answer = _put(made, _hold(100, 130))
        _put(made, _hold(120, 200))
        kept = [span for span in before[: len(before) // 2] if span[0] < 200 and span[1] > 100]
        assert answer[0] == sum(a < 130 and b > 100 for a, b in kept)
        destroy_due(made.store, LATER_US, LATER_US)
        assert _spans(made) == kept
        report = check(tmp_path / "recordings", LATER_US, deep=True)
        assert report.ok, report


def test_a_hold_ends_by_its_own_release_only(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(25 * 100))
        first, second = _hold(0, 100), _hold(0, 100)
        _put(made, first)
        _put(made, second)
        with pytest.raises(OrderRefused, match="HOLD_UNKNOWN"):
            _release(made, _hold(0, 1))
        _release(made, first)
        assert destroy_due(made.store, LATER_US, LATER_US) == 0
        _release(made, second)
        _release(made, second)
        assert destroy_due(made.store, LATER_US, LATER_US) > 0
        assert _spans(made) == []
        with pytest.raises(OrderRefused, match="HOLD_RELEASED"):
            _put(made, first)
        kinds = [kind for (kind,) in made.index.query("SELECT kind FROM fact WHERE kind LIKE 'hold%' ORDER BY n")]
        assert kinds == ["hold_put", "hold_put", "hold_released", "hold_released"]


def test_a_lost_index_frees_nothing(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(25 * 30))
        kept, freed = _hold(0, 30), _hold(0, 30)
        for hold in (kept, freed):
            _put(made, hold)
        _release(made, freed)
    for suffix in ("", "-wal", "-shm"):
        (tmp_path / "recordings" / f"index.db{suffix}").unlink(missing_ok=True)
    with bench(tmp_path) as again:
        assert restore_holds(again.storage, again.index, Rulings(tmp_path / "state" / "holds"), START_US) == 1
        assert restore_holds(again.storage, again.index, Rulings(tmp_path / "state" / "holds"), START_US) == 0
        assert [hold["id"] for hold in list_holds(again.index)] == [kept.id]


@pytest.mark.parametrize("spoilt", ["recordings/holds", "state/holds"])
def test_a_lost_index_and_a_spoilt_copy_free_nothing(tmp_path: Path, spoilt: str) -> None:
    kept, rulings = _hold(0, 30), Rulings(tmp_path / "state" / "holds")
    with bench(tmp_path) as made:
        _put(made, kept)
        rulings.keep(kept, sign_hold(kept, KEY))
    for file in (tmp_path / "recordings").glob("index.db*"):
        file.unlink()
    (tmp_path / spoilt / f"{kept.id}.json").write_bytes(b"{}")
    with bench(tmp_path) as again:
        assert restore_holds(again.storage, again.index, rulings, START_US) == 1
        assert [hold["id"] for hold in list_holds(again.index)] == [kept.id]


def test_a_crash_between_file_and_row_ends_in_the_file_s_favour(tmp_path: Path) -> None:
    hold, freed = _hold(0, 30), _hold(0, 30)
    made = start(tmp_path)
    record(made.store, CAMERA, packets(25 * 30))
    _put(made, freed)
    put_hold(made.storage, made.index, hold, sign_hold(hold, KEY), START_US)
    made.index.rollback()
    release = Release("hold", freed.id, ("first", "second"))
    (tmp_path / "recordings" / "holds" / f"{freed.id}.released.json").write_text(str(sign_release(release, KEY)))
    made.kill()
    with bench(tmp_path) as again:
        restore_holds(again.storage, again.index, Rulings(tmp_path / "state" / "holds"), START_US)
        assert [known["id"] for known in list_holds(again.index)] == [hold.id]


def test_a_directory_that_was_away_obeys_before_it_destroys_again(tmp_path: Path) -> None:
    rulings = Rulings(tmp_path / "rulings")
    kept, freed = _hold(0, 30), _hold(40, 70)
    with bench(tmp_path / "there") as made:  # here when both were put, away when one was released
        record(made.store, CAMERA, packets(25 * 100))
        for hold in (kept, freed):
            assert rulings.admit(hold)
            rulings.keep(hold, sign_hold(hold, KEY))
            assert not rulings.admit(hold)
        assert restore_holds(made.storage, made.index, rulings, START_US) == 2
        release = Release("hold", freed.id, ("first", "second"))
        rulings.release(release, sign_release(release, KEY))
        with pytest.raises(OrderRefused, match="HOLD_RELEASED"):
            rulings.admit(freed)
        with pytest.raises(OrderRefused, match="HOLD_UNKNOWN"):
            rulings.release(Release("hold", str(uuid4()), ("first", "second")), {})
        with pytest.raises(OrderRefused, match="HOLD_CONFLICT"):
            rulings.admit(Hold(kept.id, OTHER, kept.from_at, kept.to_at, kept.requisition, kept.since_at))
        restore_holds(made.storage, made.index, rulings, START_US)
        assert [hold["id"] for hold in list_holds(made.index)] == [kept.id]
        destroy_due(made.store, LATER_US, LATER_US)
        assert _spans(made)
        assert all(a < 30 for a, _ in _spans(made))
    elsewhere = Rulings(tmp_path / "a state that was lost")
    with bench(tmp_path / "there") as made:
        assert restore_holds(made.storage, made.index, elsewhere, START_US) == 0
    assert elsewhere.names() == {f"{kept.id}.json", f"{freed.id}.released.json"}
    with bench(tmp_path / "new") as made:  # a directory that is added
        assert restore_holds(made.storage, made.index, elsewhere, START_US) == 1
        assert sorted(made.storage.names("holds")) == sorted(elsewhere.names())


def test_windows_past_partly_past_and_to_come(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(25 * 100))
        assert _put(made, _hold(-3600, -1800), START_US + 200_000_000) == (0, 0, None, None)
        count, _, first_us, _ = _put(made, _hold(-3600, 30), START_US + 200_000_000)
        assert (count > 0, first_us) == (True, START_US)
        assert _put(made, _hold(150, 230)) == (0, 0, None, None)
        record(made.store, CAMERA, packets(25 * 100, start=25 * 130))
        destroy_due(made.store, LATER_US, LATER_US)
        assert any(a >= 130 for a, _ in _spans(made))


def test_the_same_hold_again_changes_nothing_and_another_under_its_id_is_refused(tmp_path: Path) -> None:
    with bench(tmp_path) as made:
        record(made.store, CAMERA, packets(25 * 10))
        hold = _hold(0, 10)
        assert _put(made, hold) == _put(made, hold)
        other = Hold(hold.id, OTHER, hold.from_at, hold.to_at, hold.requisition, hold.since_at)
        with pytest.raises(OrderRefused, match="HOLD_CONFLICT"):
            _put(made, other)


def test_documents_are_verified() -> None:
    hold = _hold(0, 10)
    assert verify_hold(sign_hold(hold, KEY), KEYS) == hold
    release = Release("clock", "x", ("first", "second"))
    assert verify_release(sign_release(release, KEY), KEYS) == release
    with pytest.raises(OrderRefused, match="ORDER_SIGNATURE"):
        verify_release(sign_hold(hold, KEY), KEYS)
    with pytest.raises(OrderRefused, match="ORDER_KEY_UNKNOWN"):
        verify_hold(sign_hold(hold, Ed25519PrivateKey.generate()), KEYS)
    for persons in (("first", "first"), ("first", " "), ("first", "first ")):
        with pytest.raises(OrderRefused, match="RELEASE_NEEDS_TWO"):
            verify_release(sign_release(Release("hold", "x", persons), KEY), KEYS)
    without = seal(b"csu hold 1\n", {"id": hold.id, "camera": CAMERA, "from": "2026-01-01T00:00:00Z"}, KEY)
    with pytest.raises(OrderRefused, match="ORDER_INVALID"):
        verify_hold(without, KEYS)
    bare = Hold(hold.id, CAMERA, hold.from_at, hold.to_at, " ", hold.since_at)
    with pytest.raises(OrderRefused, match="HOLD_WITHOUT_PROCEDURE"):
        verify_hold(sign_hold(bare, KEY), KEYS)
