"""The rate of a camera's last day, from the index."""

from pathlib import Path

from recorder_support import CAMERA, OTHER, bench, packets, record

from recorder.index import open_reader
from recorder.rates import read_rates


def test_the_rate_is_that_of_the_last_day_on_which_a_camera_recorded(tmp_path: Path) -> None:
    with bench(tmp_path) as recording:
        record(recording.store, CAMERA, packets(50 * 3700, gop=500, fps=50), wave=20_000)
        record(recording.store, OTHER, packets(100))
        recording.index.commit()
        size = sum(file.stat().st_size for file in (tmp_path / "recordings" / CAMERA).rglob("*.mp4"))
        reader = open_reader(recording.storage.index_path)
        rates = read_rates(reader)
        reader.close()
    assert rates.keys() == {CAMERA}  # a few seconds say nothing of a day
    assert abs(rates[CAMERA] - size * 86_400 / 3700) < 0.01 * rates[CAMERA]
