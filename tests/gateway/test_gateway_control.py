"""The control plane's channel: renew, cut, pull, acknowledge; and requests that make no sense."""

from pathlib import Path
from typing import Any

import pytest
from gateway_centre import running

from recorder.channel import ChannelError


async def test_what_is_open_is_listed_and_entries_are_pulled_once_acknowledged(tmp_path: Path) -> None:
    async with running(tmp_path) as centre, centre.browser() as browser:
        ticket = centre.ticket()
        await browser.open(centre.text(ticket))
        answer = await centre.control.call("renew", cut=[])
        [lease] = answer["open"]
        assert lease["since"].endswith("Z")
        assert {k: lease[k] for k in ("ticket", "camera", "act", "actor", "session")} == {
            "ticket": ticket.id,
            "camera": ticket.camera,
            "act": "live",
            "actor": ticket.actor,
            "session": ticket.session,
        }
        pulled = await centre.control.call("spool", after=0, limit=10)
        assert len(pulled["spool"]) == 36
        assert [e["n"] for e in pulled["entries"]] == [1]
        assert (await centre.control.call("spool", after=1, limit=10))["entries"] == []
        assert await centre.control.call("ack", upto=1) == {"upto": 1}
        assert (await centre.control.call("spool", after=0, limit=10))["entries"] == []


async def test_a_cut_is_acknowledged_every_time_it_is_asked(tmp_path: Path) -> None:
    """The answer may get lost on the way: asking again gives it again."""
    async with running(tmp_path) as centre:
        never_used = centre.ticket().id
        for _ in range(2):
            answer = await centre.control.call("renew", cut=[{"ticket": never_used}])
            assert (answer["cut"], answer["ended"]) == ([never_used], [])


@pytest.mark.parametrize(
    ("op", "fields", "code"),
    [
        ("open", {}, "UNKNOWN_OP"),
        ("spool", {}, "BAD_REQUEST"),
        ("spool", {"after": "1"}, "BAD_REQUEST"),
        ("spool", {"after": -1}, "BAD_REQUEST"),
        ("ack", {"upto": True}, "BAD_REQUEST"),
        ("ack", {"upto": 1 << 70}, "BAD_REQUEST"),
        ("renew", {"cut": 5}, "BAD_REQUEST"),
        ("renew", {"cut": [5]}, "BAD_REQUEST"),
        ("renew", {"cut": [{}]}, "BAD_REQUEST"),
    ],
)
async def test_wrong_requests(tmp_path: Path, op: str, fields: dict[str, Any], code: str) -> None:
    async with running(tmp_path) as centre:
        with pytest.raises(ChannelError) as refusal:
            await centre.control.call(op, **fields)
        assert refusal.value.code == code
