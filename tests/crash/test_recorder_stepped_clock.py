"""A real recorder whose machine's clock is stepped under it by libfaketime: nothing is lost, and destruction waits."""

import os
import subprocess
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from recorder_process import RecorderProcess, camera, camera_id, orders, recorded_s, running, simulator, wait_until

from recorder.playback import PlaybackClosed, PlaybackStore

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]

_LIBRARIES = ("faketime/libfaketimeMT.so.1", "*/faketime/libfaketimeMT.so.1")
# What libfaketime can't do: it refuses the monotonic deadlines that time.sleep gives, and leaves the kernel's word on
# NTP, which a clock that is really set loses.
_TRUE_SLEEP = (
    "import select, time; time.sleep = lambda s: select.select([], [], [], s);"
    "from recorder import machine; machine._synchronised = lambda: False"
)


@pytest.fixture(scope="module")
def library() -> Path:
    """Debian's package `faketime`, installed when we may."""
    found = _find_library()
    if found is None and os.geteuid() == 0:
        install = ["apt-get", "install", "-y", "--no-install-recommends", "faketime"]
        subprocess.run(install, check=False, capture_output=True, timeout=300)
        found = _find_library()
    if found is None:
        pytest.fail("libfaketime is missing: sudo apt-get install --no-install-recommends faketime")
    return found


def _find_library() -> Path | None:
    return next((path for pattern in _LIBRARIES for path in Path("/usr/lib").glob(pattern)), None)


class SteppedRecorder(RecorderProcess):
    """Its wall clock is what `step` says; the monotonic and the boot clock stay true."""

    def __init__(self, data: Path, library: Path, ahead: str) -> None:
        data.mkdir()
        self._clock = data / "clock"
        self.step(ahead)
        faked = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._clock),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        super().__init__(data, _TRUE_SLEEP, environment=faked)

    def step(self, ahead: str) -> None:
        """An offset in seconds, and a rate: `+7200`, `-3600`, `+0 x1.0005`."""
        new = self._clock.with_suffix(".new")
        new.write_text(f"{ahead}\n")
        new.replace(self._clock)

    async def trusted(self) -> bool:
        return bool((await self.call("status"))["clock"]["trusted"])

    async def distrusted(self) -> bool:
        return not await self.trusted()

    def playback_is_open(self) -> bool:
        now = datetime.now(UTC)
        try:
            PlaybackStore(self.paths.recordings).plan(camera_id(1), now - timedelta(minutes=1), now, now)
        except PlaybackClosed:
            return False
        return True

    async def alarms(self) -> list[tuple[str, str]]:
        facts = await self.facts()
        return [(f["kind"], f["code"]) for f in facts if f["kind"].startswith("alarm") and "CLOCK" in f["code"]]

    async def recorded_s(self) -> float:
        """Of camera 1: how much pictures there are, wherever they are dated."""
        wide = {"from": "2020-01-01T00:00:00Z", "to": "2090-01-01T00:00:00Z"}
        return recorded_s(await self.call("coverage", camera=camera_id(1), **wide))

    async def records_on(self, seconds: float = 5) -> None:
        before_s = await self.recorded_s()

        async def further() -> bool:
            return await self.recorded_s() >= before_s + seconds

        await wait_until(further, seconds + 60)


def _far() -> datetime:
    return datetime.now(UTC) + timedelta(days=3000)


async def test_forward_back_to_1970_and_drifting(tmp_path: Path, library: Path) -> None:
    stepped = SteppedRecorder(tmp_path / "data", library, "+0")
    with simulator(tmp_path / "simulator", 1) as cameras, running(stepped) as process:
        await process.order(orders(camera(cameras, 1, record_to_at=_far())))
        await process.records_on()
        await wait_until(process.trusted)
        assert process.playback_is_open()
        process.step("+7200")
        await wait_until(process.distrusted)
        await process.records_on()
        assert not process.playback_is_open()
        assert await process.alarms() == [("alarm_raised", "CLOCK_UNTRUSTED")]
        process.step("+0")
        await wait_until(process.trusted)
        await process.records_on()
        assert process.playback_is_open()
        assert (await process.alarms())[-1] == ("alarm_ended", "CLOCK_UNTRUSTED")
        stops = await _ends(process)
        for ahead in ("-3600", "-1700000000", "+0", "+0 x1.0005"):
            process.step(ahead)
            await process.records_on()
            assert await process.trusted()
            assert process.playback_is_open()
        assert await _ends(process) == stops == ["wall_clock", "wall_clock"]
        assert process.stop() == 0
        _all_agrees(process)


async def _ends(process: RecorderProcess) -> list[str]:
    return [fact["reason"] for fact in await process.facts() if fact["kind"] == "run_ended"]


@pytest.mark.parametrize("night", ["2027-03-28T00:59:15+00:00", "2027-10-31T00:59:15+00:00"])
async def test_a_night_of_clock_change(tmp_path: Path, library: Path, night: str) -> None:
    """From before the change until after it; the deadlines are a month away in civil time."""
    with simulator(tmp_path / "simulator", 1) as cameras:
        ahead = datetime.fromisoformat(night) - datetime.now(UTC)
        with running(SteppedRecorder(tmp_path / "data", library, f"+{round(ahead.total_seconds())}")) as process:
            await process.order(orders(camera(cameras, 1, record_to_at=_far(), retention_days=31)))
            await process.records_on(60)
            assert await _ends(process) == []
            assert await process.trusted()
            assert process.stop() == 0
        _all_agrees(process)
        first = min(file.name for file in process.paths.recordings.rglob("*.mp4"))
        assert first[9:13] == "0059", "the recording began after the change"


async def test_killed_and_started_again_under_another_clock(tmp_path: Path, library: Path) -> None:
    stepped = SteppedRecorder(tmp_path / "data", library, "+0")
    with simulator(tmp_path / "simulator", 1) as cameras, running(stepped) as process:
        await process.order(orders(camera(cameras, 1, record_to_at=_far())))
        await process.records_on()
        for ahead in ("-1700000000", "+7200", "-3600"):
            process.kill()
            process.step(ahead)
            process.start()
            await process.records_on()
            assert await process.trusted() == (ahead != "+7200")
        assert process.stop() == 0
        _all_agrees(process)


def _all_agrees(process: RecorderProcess) -> None:
    code, report = process.csu("check", "--deep")
    files = list(process.paths.recordings.rglob("*.mp4"))
    assert (code, report["ok"], report["segments"]) == (0, True, len(files))
    assert all(uuid.UUID(file.relative_to(process.paths.recordings).parts[0]) for file in files)
