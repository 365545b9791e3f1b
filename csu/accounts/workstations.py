"""From which machine a person comes: the peer, or what a trusted reverse proxy says of its own peer."""

from collections.abc import Container, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

from fastapi import Request

from csu.centre_state import Centre

UNKNOWN = "inconnu"


def workstation_of(request: Request, centre: Centre) -> str:
    peer = "" if request.client is None else request.client.host
    trusted = centre.settings.console.trusted_proxies
    return workstation(peer, request.headers.getlist("x-forwarded-for"), trusted)


def is_of_this_machine(request: Request) -> bool:
    peer = None if request.client is None else _address(request.client.host)
    return peer is not None and peer.is_loopback


def workstation(peer: str, forwarded: Sequence[str], trusted: Container[IPv4Address | IPv6Address]) -> str:
    """The address nearest to us that is no trusted proxy's.

    `forwarded`: the X-Forwarded-For headers in their order. Each proxy appends the peer it saw, so they are read from
    the end, and no further than proxies are trusted: what stands before was written by whoever came.
    """
    address = _address(peer)
    hops = [hop for header in forwarded for hop in header.split(",")]
    while address in trusted and hops:
        before = _address(hops.pop())
        if before is None:
            break
        address = before
    return UNKNOWN if address is None else str(address)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text.strip())
    except ValueError:
        return None
