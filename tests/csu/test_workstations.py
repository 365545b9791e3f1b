"""From which machine a person comes, with and without proxies that are believed."""

from dataclasses import replace
from ipaddress import ip_address

import pytest
from centre_support import ORIGIN, PASSWORD, Running

from csu.accounts.workstations import workstation
from csu.app import create_app

PROXIES = frozenset(ip_address(text) for text in ("127.0.0.1", "10.0.0.1"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("192.0.2.7", [], "192.0.2.7"),
        ("192.0.2.7", ["198.51.100.1"], "192.0.2.7"),
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", ["192.0.2.7"], "192.0.2.7"),
        ("127.0.0.1", ["198.51.100.1, 192.0.2.7"], "192.0.2.7"),
        ("127.0.0.1", ["198.51.100.1", "192.0.2.7, 10.0.0.1"], "192.0.2.7"),
        ("127.0.0.1", ["10.0.0.1"], "10.0.0.1"),
        ("127.0.0.1", ["192.0.2.7, junk"], "127.0.0.1"),
        ("127.0.0.1", ["192.0.2.7:443"], "127.0.0.1"),
        ("127.0.0.1", [" 2001:DB8::7 "], "2001:db8::7"),
        ("", ["192.0.2.7"], "inconnu"),
    ],
)
def test_only_trusted_proxies_are_believed(peer: str, forwarded: list[str], expected: str) -> None:
    assert workstation(peer, forwarded, PROXIES) == expected


async def failures(centre: Running, sources: list[str]) -> list[int]:
    """Statuses of logins with a wrong password, each said to come from a source."""
    statuses = []
    async with centre.browser() as browser:
        for source in sources:
            headers = {"Origin": ORIGIN, "X-Forwarded-For": source}
            body = {"login": "operateur", "password": "wrong"}
            statuses.append((await browser.http.post("/api/session", json=body, headers=headers)).status_code)
    return statuses


async def test_an_unknown_client_cant_choose_its_address(centre: Running) -> None:
    sources = [f"192.0.2.{number}" for number in range(6)]
    assert await failures(centre, sources) == [401] * 5 + [429]
    assert {e["workstation"] for e in await centre.journal() if e["result"] == "refused"} == {"127.0.0.1"}


async def test_behind_a_trusted_proxy_each_workstation_counts_for_itself(centre: Running) -> None:
    settings = centre.centre.settings
    console = settings.console.model_copy(update={"trusted_proxies": PROXIES})
    settings = settings.model_copy(update={"console": console})
    proxied = replace(centre.centre, settings=settings)
    centre.transport.app = create_app(proxied, None)
    assert await failures(centre, ["192.0.2.1"] * 6) == [401] * 5 + [429]
    async with centre.browser() as browser:
        headers = {"Origin": ORIGIN, "X-Forwarded-For": "192.0.2.2"}
        body = {"login": "operateur", "password": PASSWORD}
        assert (await browser.http.post("/api/session", json=body, headers=headers)).status_code == 200
    stations = {e["workstation"] for e in await centre.journal() if e["op"] == "session:open"}
    assert stations == {"192.0.2.1", "192.0.2.2", "127.0.0.1"}
