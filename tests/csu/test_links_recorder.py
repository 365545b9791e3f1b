"""What the recorder tells: facts into journal and alarms, once each; states and how it stands, to the console."""

import asyncio
import time
from datetime import timedelta
from uuid import uuid4

import pytest
from centre_support import START, Running
from links_support import Recorder, camera_ids, iso

from csu.alarms.keeper import AlarmKeeper
from csu.audit import entries
from csu.links import recorder_link
from csu.links.recorder_link import FactsPuller, StatusPoller
from recorder.channel import ChannelClient, ChannelError
from streams.awake import running_awake


class TestFacts:
    async def test_facts_enter_journal_and_alarms_once(
        self, centre: Running, recorder: Recorder, to_recorder: ChannelClient
    ) -> None:
        async with centre.person("superviseur") as supervisor:
            camera = (await camera_ids(supervisor))["01"]
        begins, ends = iso(START - timedelta(hours=1)), iso(START)
        recorder.tell("run_started", camera, run=1, authorisation="A-27229", **{"from": begins})
        recorder.tell("gap_opened", camera, cause="network")
        recorder.tell("run_ended", camera, run=1, reason="reset", **{"from": begins, "to": ends})
        recorder.tell("destroyed", camera, count=3, bytes=9, first=begins, last=ends, cause="deadline", root="ab")
        recorder.tell("index_rebuilt", None, segments=3, damaged=0, conflicts=0, holes=0, gone=0)
        recorder.tell("alarm_raised", camera, code="CAMERA_LOST", subject=camera, detail="reset")
        puller, other = FactsPuller(centre.centre, to_recorder), FactsPuller(centre.centre, to_recorder)
        told, recorder.facts = recorder.facts, []
        await other.run_once()  # knows its place now, and is overtaken
        recorder.facts = told
        await puller.run_once()
        assert recorder.acked == 6
        await puller.run_once()
        await other.run_once()
        entries = [entry for entry in await centre.journal() if entry["op"].startswith("record")]
        assert sorted(entry["op"] for entry in entries) == [
            "recorder:index",
            "recorder:rebuilt",
            "recording:erase",
            "recording:start",
            "recording:stop",
        ]
        started = next(entry for entry in entries if entry["op"] == "recording:start")
        assert (started["camera_name"], started["authority"]) == ("01 Place", "A-27229")
        async with centre.person("vernon") as foreign, centre.person("delegue") as own:
            assert (await foreign.get("/api/alarms")).json()["alarms"] == []
            (alarm,) = (await own.get("/api/alarms")).json()["alarms"]
            assert alarm["code"] == "CAMERA_LOST"
            assert alarm["message"] == (
                "Caméra 01 Place (Évreux) : plus d'image. La liaison avec la caméra est rompue."
            )
        recorder.tell("alarm_ended", camera, code="CAMERA_LOST", subject=camera)
        await puller.run_once()
        async with centre.person("delegue") as own:
            assert (await own.get("/api/alarms")).json()["alarms"][0]["ended"] is not None

    async def test_a_long_feed_is_taken_over_whole(
        self, centre: Running, recorder: Recorder, to_recorder: ChannelClient
    ) -> None:
        for _ in range(1203):
            recorder.tell("orders_accepted", None, version=1)
        await FactsPuller(centre.centre, to_recorder).run_once()
        assert recorder.acked == 1203

    async def test_a_second_index_raises_an_alarm(
        self, centre: Running, recorder: Recorder, to_recorder: ChannelClient
    ) -> None:
        puller = FactsPuller(centre.centre, to_recorder)
        await puller.run_once()
        async with centre.person("auditeur") as auditor:
            assert (await auditor.get("/api/alarms")).json()["alarms"] == []
        recorder.index = str(uuid4())
        recorder.tell("orders_accepted", None, version=1)
        await puller.run_once()
        assert recorder.acked == 1
        async with centre.person("auditeur") as auditor:
            (alarm,) = (await auditor.get("/api/alarms")).json()["alarms"]
            assert alarm["code"] == "INDEX_UNKNOWN"
            assert alarm["is_event"]
            path = f"/api/alarms/{alarm['id']}/acknowledge"
            assert (await auditor.post(path, {"reason": "vu"})).status_code == 422
            assert (await auditor.post(path, {"reason": "disque remplacé"})).status_code == 403
        async with centre.person("administrateur") as administrator:
            assert (await administrator.post(path, {"reason": "AB-123-CD"})).status_code == 422
            assert (await administrator.post(path, {"reason": "disque remplacé"})).status_code == 200
            (alarm,) = (await administrator.get("/api/alarms")).json()["alarms"]
            assert alarm["ended"] is not None
            assert (await administrator.post(path, {"reason": "disque remplacé"})).status_code == 409
        done = [e for e in await centre.journal() if (e["op"], e["result"]) == ("alarm:acknowledge", "done")]
        assert [(e["about"], e["given"]) for e in done] == [("INDEX_UNKNOWN", "disque remplacé")]

    async def test_an_added_directory_is_no_alarm_and_each_feed_is_taken_over(
        self, centre: Running, recorder: Recorder, to_recorder: ChannelClient
    ) -> None:
        async with centre.person("superviseur") as supervisor:
            camera = (await camera_ids(supervisor))["01"]
        puller = FactsPuller(centre.centre, to_recorder)
        await puller.run_once()
        second = str(uuid4())
        run = {"n": 1, "at": iso(START), "kind": "run_started", "camera": camera, "run": 1, "authorisation": "A-27229"}
        recorder.others[second] = [run | {"from": iso(START)}]
        recorder.added.add(second)
        recorder.tell("run_started", camera, run=1, authorisation="A-27229", **{"from": iso(START)})
        recorder.away.add(recorder.index)
        with pytest.raises(ChannelError):
            await puller.run_once()
        recorder.away.clear()
        await puller.run_once()
        starts = [e for e in await centre.journal() if e["op"] == "recording:start"]
        assert len(starts) == 2
        async with centre.person("auditeur") as auditor:
            assert (await auditor.get("/api/alarms")).json()["alarms"] == []
            exchanged = str(uuid4())
            recorder.others = {exchanged: []}  # another directory's index, and it was not made with its directory
            await puller.run_once()
            (alarm,) = (await auditor.get("/api/alarms")).json()["alarms"]
            assert (alarm["code"], alarm["subject"]) == ("INDEX_UNKNOWN", exchanged)

    async def test_a_whole_new_recorder_is_an_alarm(
        self, centre: Running, recorder: Recorder, to_recorder: ChannelClient
    ) -> None:
        await FactsPuller(centre.centre, to_recorder).run_once()
        recorder.index, second = str(uuid4()), str(uuid4())
        recorder.others = {second: []}
        recorder.added = {recorder.index, second}
        await FactsPuller(centre.centre, to_recorder).run_once()
        async with centre.person("auditeur") as auditor:
            (alarm,) = (await auditor.get("/api/alarms")).json()["alarms"]
            assert alarm["code"] == "INDEX_UNKNOWN"

    async def test_an_alarm_of_a_state_ends_with_it_only(
        self, centre: Running, recorder: Recorder, to_recorder: ChannelClient
    ) -> None:
        recorder.tell("alarm_raised", None, code="CLOCK_UNTRUSTED", subject="machine", detail="")
        await FactsPuller(centre.centre, to_recorder).run_once()
        async with centre.person("superviseur") as supervisor:
            (alarm,) = (await supervisor.get("/api/alarms")).json()["alarms"]
            assert not alarm["is_event"]
            answer = await supervisor.post(f"/api/alarms/{alarm['id']}/acknowledge", {"reason": "contrôle"})
            assert (answer.status_code, answer.json()["code"]) == (409, "CONFLICT")
            (alarm,) = (await supervisor.get("/api/alarms")).json()["alarms"]
            assert alarm["ended"] is None


class TestStates:
    async def test_states_and_faults_reach_the_console(
        self, centre: Running, recorder: Recorder, to_recorder: ChannelClient
    ) -> None:
        async with centre.person("operateur") as operator:
            camera = (await camera_ids(operator))["01"]
            stream = {"camera": camera, "stream": "main", "state": "lost", "fault": "refused_credentials"}
            stream |= {"since": iso(START), "last_frame_at": None, "fps": 0.0, "size": None}
            recorder.cameras = [stream]
            poller = StatusPoller(centre.centre, to_recorder)
            await poller.run_once()
            shown = (await operator.get("/api/cameras")).json()["cameras"][0]
            assert (shown["state"], shown["fault"]) == ("lost", "refused_credentials")
            assert shown["fault_reason"].startswith("La caméra refuse")
            period = {"from": iso(START - timedelta(hours=1)), "to": iso(START)}
            timeline = (await operator.get(f"/api/cameras/{camera}/timeline", **period)).json()
            assert timeline["gaps"][0]["cause"] == "network"
            assert timeline["gaps"][0]["reason"]
            assert timeline["runs"][0]["from"] == timeline["from"]
            recorder.refusal = "STORAGE_DOWN"
            with pytest.raises(ChannelError):
                await poller.run_once()
            assert (await operator.get("/api/cameras")).json()["cameras"][0]["state"] == "unknown"

    async def test_a_storage_that_is_away_is_an_alarm_although_no_fact_can_say_so(
        self, centre: Running, recorder: Recorder, to_recorder: ChannelClient
    ) -> None:
        poller, keeper = StatusPoller(centre.centre, to_recorder), AlarmKeeper(centre.centre)
        for storage, ended in (
            ({"ready": False, "code": "STORAGE_FAILED"}, None),
            ({"ready": True, "code": ""}, START),
        ):
            here = {"path": "/srv/recordings", "free_bytes": 0}
            recorder.storage = [here | {"ready": False, "code": "STORAGE_FAILED"}, here | storage]
            await poller.run_once()
            await keeper.run_once()
            async with centre.person("operateur") as operator:
                (alarm,) = (await operator.get("/api/alarms")).json()["alarms"]
                assert alarm["code"] == "STORAGE_FAILED"
                assert alarm["ended"] == (None if ended is None else iso(ended).replace(".000000", ""))


class TestPausesOfOurOwn:
    async def test_an_answer_that_came_meanwhile_is_no_recorder_that_is_away(
        self, centre: Running, recorder: Recorder, to_recorder: ChannelClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(recorder_link, "_ANSWER_S", 1.5)
        poller = StatusPoller(centre.centre, to_recorder)
        await poller.run_once()
        asyncio.get_running_loop().call_soon(time.sleep, 3.0)
        await poller.run_once()
        assert centre.centre.observed.recorder_arrivals == 1
        assert centre.centre.observed.recorder_answers

    @pytest.mark.parametrize(("paused_s", "alarms"), [(0.0, ["JOURNAL_LATE"]), (25.0, [])])
    async def test_a_journal_that_stood_still_with_us_is_not_late(
        self, centre: Running, paused_s: float, alarms: list[str]
    ) -> None:
        async with centre.person("operateur") as operator:
            async with centre.centre.store.transaction(None) as connection:
                await entries.append(connection, [entries.Entry("recorder:index", centre.clock(), entries.SYSTEM)])
            now_s = time.monotonic()
            if paused_s:
                running_awake()._pauses.append((now_s - paused_s, now_s))
            centre.clock.advance(seconds=30)
            await AlarmKeeper(centre.centre).run_once()
            assert [one["code"] for one in (await operator.get("/api/alarms")).json()["alarms"]] == alarms


class TestTheRecorderItself:
    async def test_arithmetic_breaker_and_what_is_given_up_are_shown(
        self, centre: Running, recorder: Recorder, to_recorder: ChannelClient
    ) -> None:
        async with centre.person("superviseur") as supervisor:
            camera = (await camera_ids(supervisor))["01"]
            pressure = {"capacity_bytes": 1000, "needed_bytes": 1500, "held_bytes": 50, "bytes_per_day": 100}
            full_at = iso(START + timedelta(days=3))
            recorder.storage = [
                {
                    "path": "/srv/a",
                    "ready": True,
                    "code": "",
                    "free_bytes": 300,
                    "pressure": pressure | {"full_at": full_at},
                },
                {"path": "/srv/b", "ready": False, "code": "STORAGE_UNMOUNTED", "free_bytes": 0, "pressure": None},
            ]
            given_up = [{"camera": camera, "stream": "sub"}, {"camera": str(uuid4()), "stream": "sub"}]
            recorder.says = {
                "breaker": {"id": "b1", "reason": "9 segments where 1 was due", "segments": 9, "bytes": 900},
                "degraded": {"level": 2, "reason": "load", "since": iso(START), "given_up": given_up},
            }
            recorder.tell("alarm_raised", None, code="DESTRUCTION_BREAKER", subject="machine", detail="x")
            recorder.tell("alarm_raised", camera, code="PRIORITY_STOPPED", subject=camera, detail="")
            await StatusPoller(centre.centre, to_recorder).run_once()
            await FactsPuller(centre.centre, to_recorder).run_once()
            shown = (await supervisor.get("/api/recorder")).json()
        first, second = shown["storage"]
        assert first["pressure"] == pressure | {"full_at": full_at.replace(".000000", "")}
        assert (second["code"], second["ready"], second["pressure"]) == ("STORAGE_UNMOUNTED", False, None)
        assert "pas monté" in second["reason"]
        (freeze,) = shown["freezes"]
        assert (freeze["subject"], freeze["id"], freeze["segments"], freeze["bytes"]) == ("breaker", "b1", 9, 900)
        assert freeze["since"] == iso(START).replace(".000000", "")
        assert "segments" not in freeze["reason"]
        assert (shown["degraded"]["level"], [g["number"] for g in shown["degraded"]["given_up"]]) == (2, ["01"])
        assert [stopped["number"] for stopped in shown["stopped"]] == ["01"]

    async def test_the_arithmetic_camera_by_camera(self, centre: Running, recorder: Recorder) -> None:
        async with centre.person("auditeur") as auditor:
            ids = await camera_ids(auditor)
            recorder.needs = [
                {"camera": ids[number], "path": "/srv/a", "bytes_per_day": rate, "retention_days": days}
                for number, rate, days in (("01", 10, 15), ("02", 100, 31))
            ] + [{"camera": str(uuid4()), "path": "/srv/a", "bytes_per_day": 1, "retention_days": 1}]
            needs = (await auditor.get("/api/recorder/needs")).json()["needs"]
            assert [(one["camera"]["number"], one["needed_bytes"]) for one in needs] == [("02", 3100), ("01", 150)]

    async def test_nothing_is_shown_of_a_recorder_that_is_away(
        self, centre: Running, recorder: Recorder, to_recorder: ChannelClient
    ) -> None:
        poller = StatusPoller(centre.centre, to_recorder)
        await poller.run_once()
        async with centre.person("auditeur") as auditor:
            assert (await auditor.get("/api/recorder")).json()["answers"]
            recorder.refusal = "STORAGE_DOWN"
            with pytest.raises(ChannelError):
                await poller.run_once()
            assert not (await auditor.get("/api/recorder")).json()["answers"]
