"""Simulated cameras that send over UDP only, before the product's own client."""

import pytest
from conftest import RtspClient, Start
from test_simulator_faulty import pulling

from csu.simulator.datagrams import Network
from csu.simulator.faults import Fault


@pytest.mark.parametrize("fault", [None, Fault.REORDERING, Fault.DUPLICATION])
async def test_every_picture_comes_in_order(simulate: Start, secret: str, fault: Fault | None) -> None:
    async with simulate(udp=True, fault=fault) as simulation, pulling(simulation, secret) as sink:
        numbers = await sink.wait(lambda numbers: len(numbers) > 120)
        await sink.wait(lambda _: simulation.server.stats()["receiver_reports"] >= 1)
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert {packet.lost_before for packet in sink.packets} == {0}


async def test_losses_are_told_and_reported_back(simulate: Start, secret: str) -> None:
    async with simulate(udp=True, fault=Fault.LOSS) as simulation, pulling(simulation, secret) as sink:
        await sink.wait(lambda _: any(d.lost_told for d in simulation.server.datagrams()))
        numbers = await sink.wait(lambda numbers: len(numbers) > 1 and len(numbers) <= numbers[-1] - numbers[0])
    packets = sink.packets[: len(numbers)]
    assert sum(packet.lost_before for packet in packets) > 2
    missing = set(range(numbers[0], numbers[-1])) - set(numbers)
    told = {numbers[n] for n, packet in enumerate(packets) if packet.lost_before}
    assert missing
    assert {number + 1 for number in missing if number + 1 in numbers} <= told


async def test_a_camera_that_hangs_up_with_its_refusal_is_connected_again_for_udp(simulate: Start, secret: str) -> None:
    async with simulate(udp=True, fault=Fault.HANG_UP) as simulation, pulling(simulation, secret) as sink:
        numbers = await sink.wait(lambda numbers: len(numbers) > 60)
    assert numbers == list(range(numbers[0], numbers[-1] + 1))


async def test_interleaved_tcp_is_refused(simulate: Start, secret: str) -> None:
    async with simulate(udp=True) as simulation:
        client = await RtspClient.connect(simulation.urls("main")[0], secret)
        track = f"{client.url}/trackID=0"
        status, _ = await client.request("SETUP", track, "Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
        assert status == 461
        status, text = await client.request("SETUP", track, "Transport: RTP/AVP;unicast;client_port=40000-40001")
        assert status == 200
        assert "server_port=" in text
        client.writer.close()


def test_what_the_network_does() -> None:
    packets = [bytes((n,)) * 300 for n in range(100)]

    def carried(fault: Fault | None) -> list[bytes]:
        network = Network()
        return [bytes(out) for packet in packets for out in network.carry(packet, fault)]

    assert carried(None) == packets
    assert len(carried(Fault.LOSS)) == 97
    assert sorted(set(carried(Fault.DUPLICATION))) == packets
    assert len(carried(Fault.DUPLICATION)) == 114
    reordered = carried(Fault.REORDERING)
    assert reordered != packets
    assert sorted(reordered)[:95] == packets[:95]
