"""Answers to a camera's challenge: Basic (RFC 7617) and Digest (RFC 7616; RFC 2069 where it sends no qop)."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence

_PAIR = re.compile(r'(?<![a-zA-Z])([a-zA-Z]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^",\s]*))')
_HASHES = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}
_MAX_CHALLENGE = 2048


class Authenticator:
    """Chooses the strongest challenge it can answer and signs requests. Its repr shows no secret."""

    def __init__(self, username: str, password: str, client_nonce: str) -> None:
        self._username = username
        self._password = password
        self._client_nonce = client_nonce
        self._scheme = ""
        self._params: dict[str, str] = {}
        self._count = 0

    def __repr__(self) -> str:
        return f"<Authenticator {self._scheme or 'unchallenged'}>"

    def challenge(self, headers: Sequence[str]) -> bool:
        """Takes the `WWW-Authenticate` headers of a 401; whether one of them can be answered."""
        best = 0
        for header in headers[:8]:
            scheme, _, rest = header[:_MAX_CHALLENGE].partition(" ")
            params = {m[1].lower(): m[2] if m[2] is not None else m[3] for m in _PAIR.finditer(rest)}
            rank = _rank(scheme.lower(), params)
            if rank > best:
                best, self._scheme, self._params, self._count = rank, scheme.lower(), params, 0
        return best > 0

    def header(self, method: str, url: str) -> str | None:
        """The value of `Authorization` for one request; None before any challenge."""
        if self._scheme == "basic":
            pair = f"{self._username}:{self._password}".encode()
            return "Basic " + base64.b64encode(pair).decode()
        if self._scheme == "digest":
            return self._digest(method, url)
        return None

    def _digest(self, method: str, url: str) -> str:
        params = self._params
        algorithm = params.get("algorithm", "MD5").upper()
        realm, nonce = params.get("realm", ""), params.get("nonce", "")

        def hashed(*words: str) -> str:
            return _HASHES[algorithm](":".join(words).encode()).hexdigest()

        secret, act = hashed(self._username, realm, self._password), hashed(method, url)
        fields = [f'username="{self._username}"', f'realm="{realm}"', f'nonce="{nonce}"', f'uri="{url}"']
        if "qop" in params:
            self._count += 1
            count = f"{self._count:08x}"
            answer = hashed(secret, nonce, count, self._client_nonce, "auth", act)
            fields += [f'response="{answer}"', "qop=auth", f"nc={count}", f'cnonce="{self._client_nonce}"']
        else:
            fields.append(f'response="{hashed(secret, nonce, act)}"')
        if "algorithm" in params:
            fields.append(f"algorithm={algorithm}")
        if "opaque" in params:
            fields.append(f'opaque="{params["opaque"]}"')
        return "Digest " + ", ".join(fields)


def _rank(scheme: str, params: dict[str, str]) -> int:
    if scheme == "basic":
        return 1
    offered = [word.strip().lower() for word in params.get("qop", "auth").split(",")]
    if scheme != "digest" or "nonce" not in params or "auth" not in offered:
        return 0
    return {"MD5": 2, "SHA-256": 3}.get(params.get("algorithm", "MD5").upper(), 0)
