"""Orders to the recorder: built from the tables, under a version that only rises, handed over until they are there."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from centre_support import START, Running, territory
from links_support import MASK_NOW, Recorder
from test_territory import import_again

from csu import keys
from csu.alarms.keeper import AlarmKeeper
from csu.audit.heads import HeadSigner
from csu.audit.verify import verify as verify_journal
from csu.cameras.secrets import SecretBox
from csu.links.orders import plan, supersede
from csu.links.recorder_link import OrderPusher, StatusPoller
from recorder.channel import ChannelClient, ChannelError
from recorder.orders import Interruption


class TestOrders:
    async def test_every_authorised_camera_is_ordered_once(
        self, centre: Running, recorder: Recorder, pusher: OrderPusher
    ) -> None:
        await pusher.run_once()
        await pusher.run_once()
        (orders,) = recorder.orders
        assert orders.version == 1
        assert sorted(camera.name for camera in orders.cameras) == ["01 Place", "02 Place", "03 Place"]
        order = next(camera for camera in orders.cameras if camera.name == "01 Place")
        assert order.main.url == "rtsp://127.0.0.1:1/cam/01/main"
        assert (order.main.username, order.main.password) == ("viewer", "camera-secret")
        assert (order.authorisation, order.retention_days) == ("A-27229", 15)
        assert "camera-secret" not in repr(order)

    async def test_the_version_rises_with_the_content_only(
        self, centre: Running, recorder: Recorder, pusher: OrderPusher
    ) -> None:
        await pusher.run_once()
        centre.clock.advance(minutes=5)
        await pusher.run_once()
        async with centre.person("administrateur") as administrator:
            territory = (await administrator.get("/api/territory")).json()
            line = territory["communes"][0]["cameras"][0]["authorisations"][0]
            answer = await administrator.post(f"/api/authorisations/{line['id']}/suspend", {"reason": "essai"})
            assert answer.status_code == 200
        await pusher.run_once()
        assert [orders.version for orders in recorder.orders] == [1, 2]
        suspended = [c for c in recorder.orders[1].cameras if c.authorisation == line["reference"]]
        assert [camera.record_to_at for camera in suspended] == [centre.clock.at]
        issued = [entry for entry in await centre.journal() if entry["op"] == "orders:issue"]
        assert len(issued) == 2

    async def test_announced_interruptions_go_with_the_orders_until_a_day_after_their_end(
        self, centre: Running, recorder: Recorder, pusher: OrderPusher, superuser: str
    ) -> None:
        await pusher.run_once()
        async with await psycopg.AsyncConnection.connect(superuser) as connection:
            await connection.execute(MASK_NOW.encode(), (START,))
        await pusher.run_once()
        for hours in (24, 1):
            centre.clock.advance(hours=hours)
            await pusher.run_once()
        told = [[one for camera in orders.cameras for one in camera.interruptions] for orders in recorder.orders]
        assert told == [[], [Interruption("masked", START, START + timedelta(hours=1))], []]

    async def test_passwords_of_another_key_keep_no_order_back_and_are_imported_again(
        self, centre: Running, recorder: Recorder, to_recorder: ChannelClient, pusher: OrderPusher, superuser: str
    ) -> None:
        await pusher.run_once()
        folder = centre.centre.settings.paths.keys
        (folder / "secrets.key").unlink()  # as where a backup of the database alone is restored
        another = OrderPusher(centre.centre, to_recorder, SecretBox(folder), keys.load_private(folder, "orders")[1])
        async with await psycopg.AsyncConnection.connect(superuser) as connection:
            await connection.execute("UPDATE authorisation SET suspended_at = %s WHERE commune = '27229'", (START,))
        await another.run_once()
        told = {order.name: order for order in recorder.orders[-1].cameras}
        assert told["01 Place"].record_to_at == START
        assert {(order.main.username, order.main.password) for order in told.values()} == {(None, None)}
        assert await import_again(centre, territory()) == 3
        await another.run_once()
        assert {order.main.password for order in recorder.orders[-1].cameras} == {"camera-secret"}

    async def test_a_recorder_that_comes_back_is_told_again(
        self, centre: Running, recorder: Recorder, pusher: OrderPusher, to_recorder: ChannelClient
    ) -> None:
        poller = StatusPoller(centre.centre, to_recorder)
        await poller.run_once()
        await pusher.run_once()
        recorder.refusal = "STORAGE_DOWN"
        with pytest.raises(ChannelError):
            await poller.run_once()
        recorder.refusal = None
        await poller.run_once()
        await pusher.run_once()
        assert [orders.version for orders in recorder.orders] == [1, 1]

    async def test_a_restored_centre_goes_on_above_what_the_recorder_has(
        self, centre: Running, recorder: Recorder, pusher: OrderPusher, superuser: str
    ) -> None:
        await pusher.run_once()
        assert await supersede(centre.centre.store, 9, centre.clock.at) == 1
        await pusher.run_once()
        await pusher.run_once()
        assert await supersede(centre.centre.store, 3, centre.clock.at) == 10
        await pusher.run_once()
        assert [orders.version for orders in recorder.orders] == [1, 10, 11]
        assert recorder.orders[0].cameras == recorder.orders[2].cameras
        told = [entry for entry in await centre.journal() if entry["op"] == "orders:supersede"]
        assert [entry["author"] for entry in told] == ["Administration locale"] * 2

    async def test_refused_orders_raise_an_alarm(
        self, centre: Running, recorder: Recorder, pusher: OrderPusher
    ) -> None:
        recorder.refusal = "ORDER_OLD"
        with pytest.raises(ChannelError):
            await pusher.run_once()
        await AlarmKeeper(centre.centre).run_once()
        async with centre.person("operateur") as operator:
            (alarm,) = (await operator.get("/api/alarms")).json()["alarms"]
            assert (alarm["code"], alarm["ended"]) == ("ORDERS_REFUSED", None)
            assert "csu orders supersede" in alarm["message"]
        recorder.refusal = None
        await pusher.run_once()
        await AlarmKeeper(centre.centre).run_once()
        async with centre.person("operateur") as operator:
            (alarm,) = (await operator.get("/api/alarms")).json()["alarms"]
            assert alarm["ended"] is not None

    def test_the_line_in_force_counts(self) -> None:
        camera: dict[str, Any] = {"id": "c", "number": "1", "name": "n", "main_url": "rtsp://c", "sub_url": None}
        camera |= {
            "username": None,
            "password": None,
            "certificate": "ab",
            "adapter": "native",
            "priority": 0,
            "kept_days": 9,
        }
        base = {"camera": "c", "suspended_at": None, "retention_days": 15, "minimum_days": None}
        past = base | {"reference": "past", "from_at": START - timedelta(9), "to_at": START - timedelta(1)}
        now = base | {"reference": "now", "from_at": START - timedelta(1), "to_at": START + timedelta(1)}
        longer = base | {"reference": "longer", "from_at": START - timedelta(1), "to_at": START + timedelta(2)}
        coming = base | {"reference": "coming", "from_at": START + timedelta(1), "to_at": START + timedelta(9)}
        for lines, expected in (
            ([past, now, longer, coming], "longer"),
            ([past, now | {"suspended_at": START}, coming], "coming"),
            ([past, now | {"suspended_at": START}], "now"),
            ([past], "past"),
        ):
            (order,) = plan([camera], lines, START)
            assert order.authorisation == expected
            assert (order.main.certificate, order.retention_days) == ("ab", 9)
        assert plan([camera], [], START) == []


async def test_all_that_was_told_verifies(
    centre: Running, recorder: Recorder, pusher: OrderPusher, tmp_path: Path
) -> None:
    await pusher.run_once()
    folder = centre.centre.settings.paths.keys
    await HeadSigner(centre.centre.store, *keys.load_private(folder, "heads"), centre.clock).close()
    verdict = await verify_journal(centre.centre.store, keys.load_public(folder, "heads"))
    assert verdict.ok
    assert verdict.entries > 10
