"""Ports for servers that are told theirs: nobody else gets one between its choice and the server's start."""

import atexit
import socket

_kept: list[socket.socket] = []


def free_port() -> int:
    """A port of 127.0.0.1 that is this process's to its end.

    It stays bound here without listening: no search for a free port and no connection is given it, and who binds it
    with SO_REUSEADDR, as servers do, may listen on it (socket(7)).
    """
    if not _kept:
        atexit.register(_let_go)
    kept = socket.socket()
    _kept.append(kept)
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.bind(("127.0.0.1", 0))
    port: int = kept.getsockname()[1]
    return port


def _let_go() -> None:
    for kept in _kept:
        kept.close()
