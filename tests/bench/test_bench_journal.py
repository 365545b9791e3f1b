"""The journal's bench on few entries: every figure is there, and what it wrote verifies."""

import pytest

from csu.bench import journal


async def test_it_measures_a_journal_that_verifies(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CSU_DATA", str(tmp_path))
    monkeypatch.setattr(journal, "_ROUNDS", 1)
    figures = await journal.run(entries=700, seconds=0.2)
    assert figures["entries"] >= 700
    assert set(figures) > {"append_ms", "ratio", "append_per_s", "verify_s", "verify_per_s", "decision_us", "peer"}
    assert figures["peer"]["append_ms"] > 0
