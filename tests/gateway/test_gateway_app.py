"""What holds for every door: one origin, nothing cached, refusals that tell nothing."""

import asyncio
import contextlib
import json
from pathlib import Path

import aiohttp
import pytest
from gateway_centre import ORIGIN, PATIENCE_S, refusals, running
from hypothesis import given, settings
from hypothesis import strategies as st


async def test_health_and_headers(tmp_path: Path) -> None:
    async with running(tmp_path) as centre, centre.session.get(f"{centre.url}/health") as response:
        assert response.status == 200
        assert set(await response.json()) == {"ok", "feed"}
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Server"] == "csu"
        assert "Access-Control-Allow-Origin" not in response.headers


async def test_the_console_may_read_and_others_may_not(tmp_path: Path) -> None:
    async with running(tmp_path) as centre:
        async with centre.session.get(f"{centre.url}/health", headers={"Origin": ORIGIN}) as response:
            assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
            assert response.headers["Access-Control-Allow-Credentials"] == "true"
        async with centre.session.get(f"{centre.url}/health", headers={"Origin": "http://evil.example"}) as response:
            assert response.status == 403
            assert "Access-Control-Allow-Origin" not in response.headers


async def test_preflight(tmp_path: Path) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    async with running(tmp_path) as centre:
        url = f"{centre.url}/playback"
        async with centre.session.options(url, headers={"Origin": ORIGIN} | asked) as response:
            assert response.status == 204
            assert "POST" in response.headers["Access-Control-Allow-Methods"]
            assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
        async with centre.session.options(url, headers={"Origin": "null"} | asked) as response:
            assert response.status == 403


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "NOT_FOUND"),
        ("GET", "/../../etc/passwd", 404, "NOT_FOUND"),
        ("GET", "/whep", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/live", 403, "ORIGIN_REFUSED"),
        ("POST", "/playback", 403, "ORIGIN_REFUSED"),
        ("DELETE", "/playback/x", 403, "ORIGIN_REFUSED"),
        ("GET", "/playback/x/video.mp4", 404, "LEASE_UNKNOWN"),
    ],
)
async def test_refusals_tell_nothing(tmp_path: Path, method: str, path: str, status: int, code: str) -> None:
    async with running(tmp_path) as centre, centre.session.request(method, centre.url + path) as response:
        body = json.loads(await response.text())
        assert (response.status, body["code"]) == (status, code)
        assert set(body) == {"code", "reason"}


async def test_a_plain_request_for_the_socket_is_refused(tmp_path: Path) -> None:
    async with (
        running(tmp_path) as centre,
        centre.session.get(f"{centre.url}/live", headers={"Origin": ORIGIN}) as response,
    ):
        assert (response.status, (await response.json())["code"]) == (400, "BAD_REQUEST")


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x01 garbage\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /playback/\xff/video.mp4 HTTP/1.1\r\nHost: x\r\nCookie: csu_replay=secret\xff\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\nCookie: csu_replay=secret" + b"a" * 20_000 + b"\r\n\r\n",
    ],
)
async def test_unreadable_requests_cost_one_line_of_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, data: bytes
) -> None:
    async with running(tmp_path) as centre:
        reader, writer = await asyncio.open_connection("127.0.0.1", centre.port)
        writer.write(data)
        async with asyncio.timeout(PATIENCE_S):
            answer = await reader.readuntil(b"\r\n")
        assert answer == b"HTTP/1.0 400 Bad Request\r\n"
        writer.transport.abort()
        assert "secret" not in caplog.text
        assert "Traceback" not in caplog.text
        async with centre.session.get(f"{centre.url}/health") as response:
            assert response.status == 200


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "ticket", "tile", "channel", "x"]), inner, max_size=4)
    ),
    max_leaves=6,
)
OPEN = st.fixed_dictionaries(
    {"type": st.sampled_from(["open", "close", "ping"])},
    optional={
        "ticket": JSON,
        "tile": JSON,
        "channel": JSON,
    },
)


@settings(max_examples=15)
@given(messages=st.lists(OPEN | JSON, max_size=20))
def test_whatever_is_said_on_the_socket_the_gateway_lives(
    tmp_path_factory: pytest.TempPathFactory, messages: list[object]
) -> None:
    async def converse() -> None:
        async with running(tmp_path_factory.mktemp("fuzz")) as centre:
            async with centre.browser() as browser:
                for message in messages:
                    if browser.socket.closed:
                        break
                    with contextlib.suppress(ConnectionError):
                        await browser.socket.send_str(json.dumps(message))
            async with centre.browser() as browser:
                await browser.open(centre.text())

    asyncio.run(converse())


async def test_other_pages_are_told_as_security_events(tmp_path: Path) -> None:
    async with running(tmp_path) as centre:
        for origin in ("https://evil.example", "https://evil.example", None):
            headers = {} if origin is None else {"Origin": origin}
            async with centre.session.post(f"{centre.url}/playback", json={"ticket": "x"}, headers=headers) as response:
                assert (response.status, (await response.json())["code"]) == (403, "ORIGIN_REFUSED")
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await centre.session.ws_connect(f"{centre.url}/live")
    assert await refusals(tmp_path) == {"ORIGIN_REFUSED": 4}


async def test_what_no_page_of_the_console_asks_is_told_as_security_events(tmp_path: Path) -> None:
    async with running(tmp_path) as centre:
        for body in ({}, {"ticket": 1}, {"camera": "x"}):
            async with centre.session.post(f"{centre.url}/playback", json=body, headers={"Origin": ORIGIN}) as response:
                assert (response.status, (await response.json())["code"]) == (400, "BAD_REQUEST")
        async with centre.session.get(f"{centre.url}/health?face=x") as response:
            assert (response.status, (await response.json())["code"]) == (400, "UNKNOWN_PARAMETER")
        async with centre.browser() as browser:
            await browser.say(type="open", tile="t", camera="x")
            assert (await browser.told("refused"))["code"] == "BAD_MESSAGE"
    assert await refusals(tmp_path) == {"BAD_REQUEST": 3, "UNKNOWN_PARAMETER": 1, "BAD_MESSAGE": 1}
