"""The recorder as `csu recorder` starts it, but that recordings live for two minutes, and that some times are taken.

Orders count retention in days, and no switch of the product makes them shorter. So this process, and no other, puts
another function in the place of `legal.retention.deadline_at`: what a bench records is destroyed while it runs.
`python -m csu.bench.brief FILE` ends at SIGTERM and then writes its `Times` to FILE as JSON.
"""

import json
import sys
import time
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import NoReturn

from csu.commands import recorder as command
from recorder import camera as recorded
from recorder.format import Part
from recorder.machine import now_us
from recorder.store import SegmentStore
from streams import streamer
from streams.pull import pull
from streams.source import PacketSink, SourceConfig
from streams.ticks import us_from_90k

RETENTION_S = 120
LATE_US = 1_000_000


@dataclass(slots=True)
class Times:
    """`waited_us`: the longest time from a part's last picture to the part's write call; `late_frames` are those of
    parts that waited over LATE_US. `soonest_again_s` is the shortest time between two connections to one camera."""

    waited_us: int = 0
    late_frames: int = 0
    connections: int = 0
    soonest_again_s: float | None = None
    _last: dict[str, float] = field(default_factory=dict)

    def written(self, part: Part) -> None:
        waited_us = now_us() - part.at_us - us_from_90k(sum(part.durations_90k[:-1]))
        self.waited_us = max(self.waited_us, waited_us)
        self.late_frames += len(part.data) if waited_us > LATE_US else 0

    def connected(self, url: str) -> None:
        self.connections += 1
        now_s, last_s = time.monotonic(), self._last.get(url)
        self._last[url] = now_s
        if last_s is not None:
            self.soonest_again_s = min(now_s - last_s, self.soonest_again_s or now_s)

    def to_json(self) -> str:
        return json.dumps({name: value for name, value in asdict(self).items() if not name.startswith("_")})


def take(times: Times) -> None:
    """Have this process's recorder tell its times, and keep nothing for long."""
    append = SegmentStore.append

    def timed_append(store: SegmentStore, camera: str, part: Part) -> None:
        times.written(part)
        append(store, camera, part)

    async def timed_pull(config: SourceConfig, sink: PacketSink) -> NoReturn:
        times.connected(config.url)
        await pull(config, sink)

    def deadline_at(oldest_at: datetime, retention_days: int) -> datetime:
        return oldest_at + timedelta(seconds=RETENTION_S)

    # Nothing in the recorder takes these as an argument, since nothing but this bench would give another.
    SegmentStore.append = timed_append  # type: ignore[method-assign, assignment]
    streamer.pull = timed_pull  # type: ignore[attr-defined]
    recorded.deadline_at = deadline_at  # type: ignore[attr-defined]


def main(file: Path) -> int:
    import argparse

    times = Times()
    take(times)
    parser = argparse.ArgumentParser()
    command.configure(parser)
    status = command.run(parser.parse_args([]))
    file.write_text(times.to_json())
    return status


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
