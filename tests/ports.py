"""Ports for servers that are told theirs: nobody else gets one between its choice and the server's start."""

import atexit
import socket
from contextlib import ExitStack

_NEIGHBOURS = range(20_000, 32_000)  # below those that the kernel chooses (ip_local_port_range)
_kept = ExitStack()
atexit.register(_kept.close)


def free_port() -> int:
    """A port of 127.0.0.1 that is this process's to its end.

    It stays bound here without listening: no search for a free port and no connection is given it, and who binds it
    with SO_REUSEADDR, as servers do, may listen on it (socket(7)).
    """
    kept = _kept.enter_context(_bound(0))
    port: int = kept.getsockname()[1]
    return port


def free_ports(count: int) -> int:
    """The first of so many neighbouring ports, as above."""
    for first in range(_NEIGHBOURS.start, _NEIGHBOURS.stop - count, count):
        with ExitStack() as failed:
            try:
                for port in range(first, first + count):
                    failed.enter_context(_bound(port))
            except OSError:  # one is somebody else's
                continue
            _kept.push(failed.pop_all())
            return first
    raise AssertionError("no free ports")


def _bound(port: int) -> socket.socket:
    """Raises OSError when another process has the port, or keeps it in this way: to choose is not to share."""
    with ExitStack() as failed:
        kept = failed.enter_context(socket.socket())
        kept.bind(("127.0.0.1", port))
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # from now on, for the server
        failed.pop_all()
    return kept
