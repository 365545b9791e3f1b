"""What holds for every door: one origin, nothing cached, refusals that tell nothing."""

import json
from pathlib import Path

import pytest
from gateway_centre import ORIGIN, running


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
