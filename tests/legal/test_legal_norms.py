import pytest

from legal.norms import judge_declared, judge_stream, judge_uses


@pytest.mark.parametrize(
    ("width", "height", "per_s", "met"),
    [
        (1920, 1080, 25.0, {"NARROW_SIZE", "OTHER_SIZE", "FAST_RATE", "OTHER_RATE"}),
        (704, 576, 12.0, {"NARROW_SIZE", "OTHER_SIZE", "FAST_RATE", "OTHER_RATE"}),
        (703, 576, 11.9, {"OTHER_SIZE", "FAST_RATE", "OTHER_RATE"}),
        (960, 540, 11.7, {"OTHER_SIZE", "OTHER_RATE"}),
        (352, 288, 5.95, {"OTHER_SIZE", "OTHER_RATE"}),
        (352, 287, 5.8, set()),
    ],
)
def test_what_a_stream_meets(width: int, height: int, per_s: float, met: set[str]) -> None:
    findings = judge_stream(width, height, per_s)
    assert {finding.norm.code for finding in findings if finding.met} == met
    assert all(finding.met is not None for finding in findings)


def test_a_rate_that_is_unknown_is_neither_met_nor_missed() -> None:
    findings = {finding.norm.code: finding.met for finding in judge_stream(704, 576, None)}
    assert findings == {"NARROW_SIZE": True, "OTHER_SIZE": True, "FAST_RATE": None, "OTHER_RATE": None}


@pytest.mark.parametrize(
    ("width", "height", "per_s", "met"),
    [
        (1920, 1080, 25.0, [True, True, True]),
        (704, 576, 8.0, [False, True, True]),
        (640, 480, 25.0, [False, False, True]),
        (320, 240, 25.0, [False, False, False]),
        (704, 576, 3.0, [False, False, False]),
        (704, 576, None, [None, None, None]),
        (352, 288, None, [False, False, None]),
    ],
)
def test_what_a_stream_is_fit_for(width: int, height: int, per_s: float | None, met: list[bool | None]) -> None:
    answers = judge_uses(judge_stream(width, height, per_s))
    assert [use.code for use, _ in answers] == ["NARROW_FAST", "NARROW", "WIDE"]
    assert [answer for _, answer in answers] == met


def test_what_comes_is_held_against_what_is_declared() -> None:
    assert judge_declared(25.0, 24.6) is True
    assert judge_declared(25.0, 12.0) is False
    assert judge_declared(None, 12.0) is None
    assert judge_declared(25.0, None) is None
