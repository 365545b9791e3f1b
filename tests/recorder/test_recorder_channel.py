"""Requests and answers over Unix sockets, also with a path longer than sockaddr_un."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from recorder.channel import ChannelClient, ChannelError, ChannelServer, connect_unix


async def _handler(op: str, fields: dict[str, Any]) -> dict[str, Any]:
    if op == "echo":
        return fields
    if op == "refuse":
        raise ChannelError("NO", "not today")
    if op == "slow":
        await asyncio.Future()  # for ever
    raise RuntimeError("a bug")


@pytest.fixture
async def path(tmp_path: Path) -> AsyncIterator[Path]:
    path = tmp_path / ("long" * 40) / "control.sock"
    async with ChannelServer(path, _handler):
        yield path


async def test_answers_in_order_over_a_long_path(path: Path) -> None:
    assert len(str(path)) > 107
    async with ChannelClient(path) as client:
        answers = await asyncio.gather(*(client.call("echo", n=n) for n in range(20)))
    assert [a["n"] for a in answers] == list(range(20))


async def test_large_message(path: Path) -> None:
    async with ChannelClient(path) as client:
        text = "é" * 3_000_000
        assert (await client.call("echo", text=text))["text"] == text
        with pytest.raises(ChannelError, match="TOO_LARGE"):
            await client.call("echo", text="x" * (64 * 1024 * 1024))


async def test_refusals_and_bugs_have_codes(path: Path) -> None:
    async with ChannelClient(path) as client:
        with pytest.raises(ChannelError) as refused:
            await client.call("refuse")
        assert (refused.value.code, refused.value.reason) == ("NO", "not today")
        with pytest.raises(ChannelError, match="INTERNAL"):
            await client.call("bug")
        assert await client.call("echo", still="here") == {"still": "here"}


async def test_a_cancelled_call_does_not_answer_the_next(path: Path) -> None:
    async with ChannelClient(path) as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await client.call("slow")
        assert await client.call("echo", n=1) == {"n": 1}


async def test_a_server_that_came_back_is_called_at_once(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    async with ChannelClient(path) as client:
        for n in range(3):
            async with ChannelServer(path, _handler):
                assert await client.call("echo", n=n) == {"n": n}


async def test_bad_request_is_answered(path: Path) -> None:
    reader, writer = await asyncio.open_unix_connection(sock=connect_unix(path))
    for line in (b"[]\n", b"{\n", b'{"op": 3}\n', b"null\n"):
        writer.write(line)
        assert b"BAD_REQUEST" in await reader.readline()
    writer.close()


async def test_nobody_listens(tmp_path: Path) -> None:
    async with ChannelClient(tmp_path / "none.sock") as client:
        with pytest.raises(ChannelError, match="UNREACHABLE"):
            await client.call("echo")


async def test_socket_replaces_a_leftover_and_is_for_our_group(path: Path) -> None:
    assert os.stat(path).st_mode & 0o777 == 0o660
    async with ChannelServer(path, _handler), ChannelClient(path) as client:
        assert await client.call("echo") == {}
