"""Timestamps of signed heads by an authority (RFC 3161): a time for them that our clock can't make up."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
from cryptography import x509

if TYPE_CHECKING:
    from rfc3161_client import TimeStampResponse, VerifierBuilder

_ANSWER_S = 20.0
_LARGEST_BYTES = 64 * 1024


class TimestampError(Exception):
    """No timestamp was had, or one does not hold: the text says why."""


def read_roots(file: Path) -> list[x509.Certificate]:
    """The authority's certificates, PEM. Raises TimestampError."""
    try:
        return x509.load_pem_x509_certificates(file.read_bytes())
    except (OSError, ValueError) as error:
        raise TimestampError(f"{file}: expected certificates in PEM: {error}") from error


async def stamp(url: str, message: bytes, roots: Sequence[x509.Certificate]) -> bytes:
    """The authority's answer over the message's SHA-256, checked. Raises TimestampError."""
    from rfc3161_client import HashAlgorithm, TimestampRequestBuilder, VerifierBuilder

    request = TimestampRequestBuilder().data(message).hash_algorithm(HashAlgorithm.SHA256).build()
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_ANSWER_S)) as session,
            session.post(
                url, data=request.as_bytes(), headers={"Content-Type": "application/timestamp-query"}
            ) as answer,
        ):
            if answer.status != 200:
                raise TimestampError(f"the authority answered {answer.status}")
            token = b""
            async for part in answer.content.iter_any():
                token += part
                if len(token) > _LARGEST_BYTES:
                    raise TimestampError(f"the authority's answer has over {_LARGEST_BYTES} bytes")
    except (TimeoutError, aiohttp.ClientError, OSError) as error:
        raise TimestampError(f"no answer from the authority: {type(error).__name__}") from error
    response = _decoded(token)
    _check(VerifierBuilder.from_request(request), response, message, roots)
    return token


def stamped_at(token: bytes, message: bytes, roots: Sequence[x509.Certificate]) -> datetime:
    """When the authority says that the message was there. Raises TimestampError when the token does not hold."""
    from rfc3161_client import VerifierBuilder

    response = _decoded(token)
    _check(VerifierBuilder(), response, message, roots)
    return response.tst_info.gen_time


def _decoded(token: bytes) -> "TimeStampResponse":
    from rfc3161_client import decode_timestamp_response

    try:
        return decode_timestamp_response(token)
    except ValueError as error:
        raise TimestampError(f"no timestamp in the answer: {error}") from error


def _check(
    builder: "VerifierBuilder", response: "TimeStampResponse", message: bytes, roots: Sequence[x509.Certificate]
) -> None:
    from rfc3161_client import VerificationError

    for root in roots:
        builder = builder.add_root_certificate(root)
    try:
        builder.build().verify_message(response, message)
    except (VerificationError, ValueError) as error:
        raise TimestampError(str(error)) from error
