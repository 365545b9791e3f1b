import pytest

from legal.norms import judge_stream


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
