"""The console's files: one page for every screen, and only what bears its content's hash is kept by browsers."""

from pathlib import Path

import httpx
import pytest
from centre_support import ORIGIN, Running

from csu.app import create_app


@pytest.mark.parametrize(
    ("path", "text", "kept"),
    [
        ("/", "page", False),
        ("/index.html", "page", False),
        ("/journal", "page", False),
        ("/icon.svg", "icon", False),
        ("/assets/index-Ab12.js", "script", True),
    ],
)
async def test_what_is_served_and_for_how_long(
    centre: Running, tmp_path: Path, path: str, text: str, kept: bool
) -> None:
    console = tmp_path / "console"
    (console / "assets").mkdir(parents=True)
    for name, content in (("index.html", "page"), ("icon.svg", "icon"), ("assets/index-Ab12.js", "script")):
        (console / name).write_text(content)
    transport = httpx.ASGITransport(create_app(centre.centre, console))
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as http:
        answer = await http.get(path)
        assert (answer.status_code, answer.text) == (200, text)
        assert ("immutable" in answer.headers["cache-control"]) == kept
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert (await http.get("/assets/other.js")).status_code == 404
        assert (await http.get("/assets/..%2f..%2fcredentials.txt")).status_code == 404
