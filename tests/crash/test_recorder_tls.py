"""Cameras over TLS with certificates that they signed themselves, before a recorder that is told their fingerprint."""

import ssl
from datetime import UTC, datetime
from pathlib import Path

from recorder_process import camera, camera_id, orders, recorder, simulator, wait_until
from served_frames import check_served, of_loop

from csu.settings import Paths
from csu.simulator import loops, running
from csu.simulator.cameras import QUICK, path
from recorder.orders import StreamAddress
from streams.rtsp.tls import fingerprint


async def test_a_camera_is_recorded_by_its_fingerprint_and_no_other_is(tmp_path: Path) -> None:
    since = datetime.now(UTC)
    data = tmp_path / "simulator"
    with simulator(data, 2, "h264", "--tls") as cameras, recorder(tmp_path / "data") as process:
        known = fingerprint(ssl.PEM_cert_to_DER_cert(_certificate(data)))

        def address(number: int, certificate: str) -> StreamAddress:
            url = f"rtsps://127.0.0.1:{cameras.port}{path(number, 'main')}"
            return StreamAddress(url, cameras.username, cameras.password, certificate)

        await process.order(
            orders(
                camera(cameras, 1, main=address(1, known)),
                camera(cameras, 2, main=address(2, "0" * 64)),
            )
        )

        async def told() -> bool:
            gaps = (await process.coverage(camera_id(2), since))["gaps"]
            runs = (await process.coverage(camera_id(1), since))["runs"]
            return bool(runs) and any((gap["cause"], gap["detail"]) == ("camera", "protocol") for gap in gaps)

        await wait_until(told, 60)
        assert process.stop() == 0
        assert not list(process.paths.recordings.glob(f"{camera_id(2)}/**/*.mp4"))
        loop = loops.load(Paths(data).simulator, 1, "main", QUICK)
        for file in process.paths.recordings.glob(f"{camera_id(1)}/**/*.mp4"):
            numbers = check_served(file, of_loop(loop))
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def _certificate(data: Path) -> str:
    """Without the key that is in the same file."""
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    text = running.certificate_file(Paths(data)).read_text()
    return text[text.index(begin) : text.index(end) + len(end)] + "\n"
