"""Each rule at its bound: what is just below it is told by none."""

from datetime import UTC, date, datetime, timedelta

from csu.audit import anomalies
from csu.audit.anomalies import Denial, Look, find

AT = datetime(2026, 11, 23, 9, tzinfo=UTC)  # 10 h in Paris
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def look(
    begun_at: datetime = AT, length: timedelta = MINUTE, *, author: str = "a", camera: str = "k", act: str = "live",
    post: str | None = "poste 1", reference: str | None = None,
) -> Look:  # fmt: skip
    return Look(
        author, author.upper(), camera, camera.upper(), act, begun_at, begun_at + length, post, reference
    )  # fmt: skip


def codes(looks: list[Look], denials: list[Denial] | None = None) -> list[str]:
    return [one.code for one in find(looks, denials or [], {})]


def test_an_hour_with_one_camera_alone_is_told() -> None:
    (told,) = find([look(length=HOUR)], [], {})
    assert (told.code, told.seconds, told.camera_name) == ("LONG_ON_ONE_CAMERA", 3600, "K")
    assert codes([look(length=HOUR - timedelta(microseconds=1))]) == []


def test_a_whole_wall_for_a_shift_is_no_anomaly() -> None:
    assert codes([look(length=8 * HOUR, camera=str(n)) for n in range(16)]) == []


def test_alone_means_without_any_other_camera_of_the_same_agent() -> None:
    other = look(AT + 20 * MINUTE, MINUTE, camera="other")
    assert codes([look(length=HOUR), other]) == []
    assert codes([look(length=HOUR + MINUTE), other]) == ["LONG_ON_ONE_CAMERA"]
    assert codes([look(length=HOUR), look(AT, HOUR, camera="other", author="b")]) == ["LONG_ON_ONE_CAMERA"] * 2
    # The same camera twice at once is one camera.
    assert codes([look(length=HOUR), look(AT + 20 * MINUTE, MINUTE)]) == ["LONG_ON_ONE_CAMERA"]


def test_stretches_of_one_day_add_up_and_those_of_two_do_not() -> None:
    assert codes([look(AT, HOUR / 2), look(AT + 2 * HOUR, HOUR / 2)]) == ["LONG_ON_ONE_CAMERA"]
    assert codes([look(AT, HOUR / 2), look(AT + DAY, HOUR / 2)]) == []


def test_often_is_thirty_looks_or_ten_replays_of_a_day() -> None:
    looks = [look(AT + n * MINUTE, MINUTE / 2) for n in range(30)]
    assert codes(looks) == ["OFTEN_ON_ONE_CAMERA"]
    assert codes(looks[1:]) == []
    replays = [look(AT + n * MINUTE, MINUTE / 2, act="replay", reference="2026-12") for n in range(10)]
    assert codes(replays) == ["OFTEN_ON_ONE_CAMERA"]
    assert codes(replays[1:]) == []
    # A day is a civil one: 23 h UTC is the next day in Paris.
    night = datetime(2026, 11, 23, 22, 45, tzinfo=UTC)
    assert codes([look(night + n * MINUTE, MINUTE / 2) for n in range(30)]) == []


def test_an_unusual_hour_is_one_that_other_days_never_came_near() -> None:
    days = {date(2026, 11, 22) - n * DAY: frozenset({9, 10, 11}) for n in range(10)}
    night = look(datetime(2026, 11, 23, 2, tzinfo=UTC))
    (told,) = find([night, look()], [], {"a": days})
    assert (told.code, told.from_at, told.camera) == ("UNUSUAL_HOUR", night.begun_at, None)
    assert find([night], [], {"a": dict(list(days.items())[1:])}) == []  # too few days to know
    assert find([look(AT + 2 * HOUR)], [], {"a": days}) == []  # 12 h is next to 11 h
    assert [one.code for one in find([look(AT + 3 * HOUR)], [], {"a": days})] == ["UNUSUAL_HOUR"]
    far = {day - 30 * DAY: hours for day, hours in days.items()}
    assert find([night], [], {"a": far}) == []  # four weeks are looked at
    # Midnight has neighbours on both sides.
    late = {day: frozenset({23}) for day in days}
    assert find([look(datetime(2026, 11, 22, 23, 30, tzinfo=UTC))], [], {"a": late}) == []


def test_twenty_refusals_in_an_hour_are_many() -> None:
    refusals = [Denial("a", "A", AT + n * 3 * MINUTE) for n in range(20)]
    (told,) = find([], refusals, {})
    assert (told.code, told.count, told.from_at, told.to_at) == ("MANY_REFUSALS", 20, AT, AT + 57 * MINUTE)
    assert codes([], refusals[1:]) == []
    assert codes([], [Denial("a", "A", AT + n * 3.2 * MINUTE) for n in range(20)]) == []  # over more than an hour
    assert codes([], [*refusals[:10], *(Denial("b", "B", one.at) for one in refusals[10:])]) == []
    (whole,) = find([], [Denial("a", "A", AT + n * MINUTE) for n in range(200)], {})
    assert whole.count == 200


def test_a_replay_has_a_number() -> None:
    for reference in (None, "", "000", "11-11", "A1"):
        assert codes([look(act="replay", reference=reference)]) == ["REPLAY_WITHOUT_NUMBER"]
    assert codes([look(act="replay", reference="2026-417")]) == []
    assert codes([look(reference=None)]) == []


def test_a_number_serves_three_days_at_most() -> None:
    replays = [look(AT + n * DAY, act="replay", reference="2026-417") for n in range(3)]
    (told,) = find(replays, [], {})
    assert (told.code, told.reference, told.count) == ("NUMBER_REUSED", "2026-417", 3)
    assert codes(replays[1:]) == []
    assert codes([*replays[1:], look(AT, act="replay", reference="2026-417", author="b")]) == []


def test_two_posts_at_once() -> None:
    first = look(AT, 10 * MINUTE)
    second = look(AT + MINUTE, timedelta(seconds=11), post="poste 2", camera="other")
    (told,) = find([first, second], [], {})
    assert (told.code, told.from_at, told.to_at) == ("TWO_POSTS", second.begun_at, second.ended_at)
    assert codes([first, look(AT + MINUTE, timedelta(seconds=10), post="poste 2")]) == []
    assert codes([first, look(AT + MINUTE, post="poste 1", camera="other")]) == []
    assert codes([first, look(AT + MINUTE, post="poste 2", author="b")]) == []
    assert codes([first, look(AT + MINUTE, post=None)]) == []
    assert codes([first, look(first.ended_at, post="poste 2")]) == []
    # The long look is remembered behind a short one at the same post.
    short = look(AT + MINUTE, MINUTE)
    assert codes([first, short, look(AT + 5 * MINUTE, post="poste 2")]) == ["TWO_POSTS"]


def test_every_rule_has_its_words() -> None:
    assert {code for code, (label, bound) in anomalies.RULES.items() if label and bound} == {
        "LONG_ON_ONE_CAMERA",
        "OFTEN_ON_ONE_CAMERA",
        "UNUSUAL_HOUR",
        "MANY_REFUSALS",
        "REPLAY_WITHOUT_NUMBER",
        "NUMBER_REUSED",
        "TWO_POSTS",
    }
