"""The running simulator, seen by libav's client and byte by byte."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any

import av
import pytest

from csu.settings import Paths
from csu.simulator import barcode, clock, running, sei
from csu.simulator.cameras import QUICK, Stream
from csu.simulator.faults import CLOCK_AHEAD_S, Fault
from csu.simulator.running import Simulation
from recorder.channel import ChannelClient, ChannelError

Start = Callable[..., AbstractAsyncContextManager[Simulation]]
Connect = Callable[..., AbstractAsyncContextManager[Any]]


def _watch(url: str, secret: str, frames: int) -> list[tuple[sei.Stamp, barcode.Reading | None]]:
    """Stamp and barcode of the first frames, decoded by libav."""
    seen: list[tuple[sei.Stamp, barcode.Reading | None]] = []
    options = {"rtsp_transport": "tcp", "timeout": "60000000"}
    with av.open(url.replace("rtsp://", f"rtsp://{secret}@"), options=options) as container:
        for packet in container.demux(video=0):
            stamp = sei.find(bytes(packet))
            for frame in packet.decode():
                assert isinstance(frame, av.VideoFrame)
                assert stamp is not None
                seen.append((stamp, barcode.read(frame.to_ndarray(format="gray"))))
            if len(seen) >= frames:
                return seen
    raise AssertionError("the stream ended")


async def _read_on(client: Any, patience_s: float = 20) -> None:
    """Read packets for ever; TimeoutError when none comes for so long."""
    while True:
        async with asyncio.timeout(patience_s):
            await client.packet()


@pytest.mark.parametrize("stream", ["main", "sub"])
async def test_libav_decodes_what_the_clock_foretells(simulate: Start, secret: str, stream: Stream) -> None:
    began_us = time.time_ns() // 1000
    async with simulate() as simulation:
        seen = await asyncio.to_thread(_watch, simulation.urls(stream)[1], secret, 12)
        now_us = time.time_ns() // 1000
    numbers = [stamp.number for stamp, _ in seen]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    for stamp, reading in seen:
        at = datetime.fromtimestamp(stamp.at_us / 1e6, UTC)
        assert reading == barcode.Reading(2, stream, clock.frame_at(2, stream, at, QUICK))
        assert stamp.camera == 2
        assert began_us - 10_000_000 < stamp.at_us <= now_us


async def test_cameras_beyond_the_encoded_ones_show_them_again(simulate: Start, secret: str) -> None:
    async with simulate(cameras=2) as simulation:
        assert simulation.urls("sub")[1].endswith("/cam/02/sub")
        assert len(simulation.urls("main")) == 2


async def test_digest(simulate: Start, connect: Connect) -> None:
    async with simulate() as simulation:
        url = simulation.urls("main")[0]
        async with connect(url) as client:
            assert (await client.request("DESCRIBE", url))[0] == 200
            assert (await client.request("DESCRIBE", url.replace("/01/", "/03/")))[0] == 404
            assert (await client.request("PLAY", url))[0] == 454
        async with connect(url, "camera:wrong") as client:
            assert (await client.request("DESCRIBE", url))[0] == 401


async def test_only_interleaved_tcp(simulate: Start, connect: Connect) -> None:
    async with simulate() as simulation:
        url = simulation.urls("main")[0]
        async with connect(url) as client:
            status, _ = await client.request(
                "SETUP", f"{url}/trackID=0", "Transport: RTP/AVP;unicast;client_port=5000-5001"
            )
            assert status == 461


async def test_reports_tell_the_true_time(simulate: Start, connect: Connect) -> None:
    began_s = time.time()
    async with simulate() as simulation, connect(simulation.urls("main")[0]) as client:
        await client.play()
        told_s, rtp = await client.report()
        assert began_s - 1 < told_s <= time.time()
        packet = await client.rtp()
        after_s = ((packet.time - rtp + 2**31) % 2**32 - 2**31) / 90_000
        assert -1 < after_s <= time.time() - told_s  # one clock for media and reports


async def test_sequence_numbers_are_shared_and_whole(simulate: Start, connect: Connect) -> None:
    async with simulate() as simulation:
        url = simulation.urls("main")[0]
        async with connect(url) as first, connect(url) as second:
            await first.play()
            await second.play(((0, "4-5"),))
            ours: list[Any] = []
            theirs: list[Any] = []

            async def hear(client: Any, packets: list[Any], is_enough: Callable[[], bool]) -> None:
                while not is_enough():
                    packets.append(await client.rtp())

            await asyncio.gather(
                hear(second, theirs, lambda: len(theirs) == 40),
                hear(first, ours, lambda: len(theirs) == 40 and theirs[-1].sequence in {p.sequence for p in ours}),
            )
    for packets, channel in ((ours, 0), (theirs, 4)):
        assert {p.channel for p in packets} == {channel}
        start = packets[0].sequence
        assert [p.sequence for p in packets] == [(start + i) % 65536 for i in range(len(packets))]
    same = {p.sequence: p.payload for p in ours}
    assert any(p.sequence in same for p in theirs)
    assert all(same.get(p.sequence, p.payload) == p.payload for p in theirs)


async def test_requests_are_answered_between_frames(simulate: Start, connect: Connect) -> None:
    async with simulate() as simulation, connect(simulation.urls("main")[0]) as client:
        await client.play()
        await client.rtp()
        client.writer.write(
            f"GET_PARAMETER {client.url} RTSP/1.0\r\nCSeq: 9\r\nSession: {client.session}\r\n\r\n".encode()
        )
        with pytest.raises(ValueError, match="RTSP"):
            await _read_on(client)
        answer = await client.reader.readuntil(b"\r\n\r\n")
        assert b"200 OK" in answer or b"401" in answer
        await client.packet()


async def test_sound_only_when_asked_for(simulate: Start, connect: Connect) -> None:
    async with simulate(audio=True) as simulation:
        url = simulation.urls("main")[0]
        async with connect(url) as client:
            assert "PCMA/8000" in (await client.request("DESCRIBE", url))[1]
            await client.play(((0, "0-1"), (1, "2-3")))
            sound: list[Any] = []
            while len(sound) < 3:
                packet = await client.rtp()
                if packet.channel == 2:
                    sound.append(packet)
            assert [len(p.payload) for p in sound] == [320] * 3
            assert sound[1].time - sound[0].time == 320
    async with simulate() as simulation, connect(simulation.urls("main")[0]) as client:
        assert "PCMA" not in (await client.request("DESCRIBE", client.url))[1]


async def test_freeze_repeats_the_picture_while_packets_go_on(
    simulate: Start, secret: str, simulator_paths: Paths
) -> None:
    async with simulate() as simulation, ChannelClient(running.control_socket(simulator_paths)) as control:
        await control.call("fault", camera=1, fault="freeze")
        seen = await asyncio.to_thread(_watch, simulation.urls("sub")[0], secret, 6)
        assert (await control.call("stats"))["faults"] == {"1": "freeze"}
    assert {reading.frame for _, reading in seen[1:] if reading} == {0}
    assert len({stamp.number for stamp, _ in seen}) == 6


async def test_silence_and_back(simulate: Start, connect: Connect) -> None:
    async with simulate() as simulation, connect(simulation.urls("main")[0]) as client:
        await client.play()
        await client.rtp()
        simulation.server.set_fault(1, Fault.SILENT)
        with pytest.raises(TimeoutError):
            await _read_on(client, patience_s=0.5)
        simulation.server.set_fault(1, None)
        await client.rtp()


async def test_reset(simulate: Start, connect: Connect) -> None:
    async with simulate() as simulation, connect(simulation.urls("main")[0]) as client:
        await client.play()
        await client.rtp()
        simulation.server.set_fault(1, Fault.RESET)
        with pytest.raises(ConnectionResetError):
            await _read_on(client)
        with pytest.raises(ConnectionResetError):
            async with connect(client.url) as again:
                await again.request("DESCRIBE", client.url)
        async with connect(simulation.urls("main")[1]) as other:
            await other.play()


async def test_refused_credentials_close_and_stay(simulate: Start, connect: Connect) -> None:
    async with simulate() as simulation, connect(simulation.urls("main")[0]) as client:
        await client.play()
        simulation.server.set_fault(1, Fault.UNAUTHORISED)
        with pytest.raises(asyncio.IncompleteReadError):
            await _read_on(client)
        async with connect(client.url) as again:
            assert (await again.request("DESCRIBE", client.url))[0] == 401


async def test_clock_jump(simulate: Start, connect: Connect) -> None:
    async with simulate() as simulation, connect(simulation.urls("main")[0]) as client:
        await client.play()
        before_s, before_rtp = await client.report()
        simulation.server.set_fault(1, Fault.CLOCK_JUMP)
        after_s, after_rtp = await client.report()
        assert 3_595 < after_s - before_s < 3_690
        assert 3_595 < (after_rtp - before_rtp) % 2**32 / 90_000 < 3_690


@pytest.mark.parametrize("fault", [Fault.CLOCK_AHEAD, Fault.CLOCK_1970])
async def test_a_wrong_time_in_reports_alone(simulate: Start, connect: Connect, fault: Fault) -> None:
    async with simulate() as simulation, connect(simulation.urls("main")[0]) as client:
        await client.play()
        before_s, before_rtp = await client.report()
        simulation.server.set_fault(1, fault)
        after_s, after_rtp = await client.report()
        passed_s = (after_rtp - before_rtp) % 2**32 / 90_000
        assert 0 <= passed_s < 90
        if fault is Fault.CLOCK_AHEAD:
            assert abs(after_s - before_s - passed_s - CLOCK_AHEAD_S) < 0.1
        else:
            assert 0 <= after_s < 86_400


async def test_garbage_from_the_start(simulate: Start, connect: Connect) -> None:
    async with simulate(fault=Fault.GARBAGE) as simulation, connect(simulation.urls("main")[0]) as client:
        await client.play()
        with pytest.raises((ValueError, asyncio.IncompleteReadError, TimeoutError)):
            await _read_on(client, patience_s=2)


async def test_wrong_faults_are_refused(simulate: Start, simulator_paths: Paths) -> None:
    async with simulate(), ChannelClient(running.control_socket(simulator_paths)) as control:
        for fields in ({"camera": 1, "fault": "fire"}, {"camera": 99, "fault": "reset"}, {"fault": None}):
            with pytest.raises(ChannelError, match="BAD_FAULT"):
                await control.call("fault", **fields)
        with pytest.raises(ChannelError, match="UNKNOWN_OP"):
            await control.call("dance")


async def test_command_prints_addresses_and_ends_cleanly(simulator_paths: Paths) -> None:
    words = ("simulate", "--cameras", "2", "--port", "0", "--quality", "quick", "--json")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "csu.cli",
        *words,
        env={**os.environ, "CSU_DATA": str(simulator_paths.data)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    told = json.loads(await process.stdout.readline())
    assert len(told["rtsp_urls"]) == len(told["sub_urls"]) == 2
    assert told["onvif_urls"] == []
    secret = (simulator_paths.simulator / "credentials").read_text().strip()
    assert told["credentials_file"] == str(simulator_paths.simulator / "credentials")
    assert os.stat(told["credentials_file"]).st_mode & 0o777 == 0o600
    assert secret.partition(":")[2] not in json.dumps(told["rtsp_urls"])
    process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0
