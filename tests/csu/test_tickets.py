import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from csu.keys import key_id
from csu.tickets import REDEEM_WITHIN, Ticket, TicketRefused, sign, verify

NOW = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)
KEY = Ed25519PrivateKey.generate()
KID = key_id(KEY.public_key())
PUBLIC = {KID: KEY.public_key()}
LIVE = Ticket(
    id=str(uuid4()),
    camera=str(uuid4()),
    act="live",
    streams=("main",),
    from_at=None,
    to_at=None,
    motif_code="SURVEILLANCE",
    motif_reference=None,
    actor=str(uuid4()),
    session="6f1d",
    issued_at=NOW,
    redeem_by_at=NOW + REDEEM_WITHIN,
    not_after_at=NOW + timedelta(hours=8),
)
REPLAY = replace(LIVE, act="replay", from_at=NOW - timedelta(minutes=5), to_at=NOW, motif_reference="2026-001234")


def refused(text: str, now: datetime = NOW) -> str:
    with pytest.raises(TicketRefused) as caught:
        verify(text, PUBLIC, now)
    assert caught.value.reason.endswith(".")
    return caught.value.code


@pytest.mark.parametrize("ticket", [LIVE, REPLAY])
def test_what_was_signed_is_what_is_verified(ticket: Ticket) -> None:
    assert verify(sign(ticket, KID, KEY), PUBLIC, NOW + timedelta(seconds=9)) == ticket


def test_a_late_ticket_is_refused() -> None:
    text = sign(LIVE, KID, KEY)
    assert refused(text, LIVE.redeem_by_at + timedelta(microseconds=1)) == "TICKET_LATE"


def test_a_ticket_past_the_end_of_its_right_is_refused() -> None:
    ending = replace(LIVE, not_after_at=NOW + timedelta(seconds=3))
    assert refused(sign(ending, KID, KEY), NOW + timedelta(seconds=3)) == "TICKET_LATE"


def test_a_ticket_from_the_future_is_refused() -> None:
    assert refused(sign(LIVE, KID, KEY), NOW - timedelta(seconds=5)) == "TICKET_INVALID"


def test_another_key_does_not_sign() -> None:
    other = Ed25519PrivateKey.generate()
    assert refused(sign(LIVE, KID, other)) == "TICKET_INVALID"
    assert refused(sign(LIVE, key_id(other.public_key()), other)) == "TICKET_INVALID"


@given(st.integers(min_value=0), st.characters(codec="utf-8"))
def test_a_ticket_altered_anywhere_is_refused(position: int, character: str) -> None:
    text = sign(REPLAY, KID, KEY)
    at = position % len(text)
    altered = text[:at] + character + text[at + 1 :]
    if altered != text:
        assert refused(altered) == "TICKET_INVALID"


@given(st.text(max_size=200))
def test_any_text_is_refused_with_its_code(text: str) -> None:
    assert refused(text) == "TICKET_INVALID"


def test_an_endless_text_is_refused() -> None:
    assert refused(sign(LIVE, KID, KEY) + "A" * 5000) == "TICKET_INVALID"


@pytest.mark.parametrize(
    "change",
    [
        {"act": "export"},
        {"streams": []},
        {"streams": ["audio"]},
        {"from": "2026-11-23T14:00:00Z"},
        {"act": "replay"},
        {"act": "replay", "from": "2026-11-23T14:00:00Z", "to": "2026-11-23T14:00:00Z"},
        {"issued_at": "2026-11-23T14:30:00"},
        {"issued_at": 12},
        {"camera": "x"},
        {"camera": None},
    ],
)
def test_a_signed_payload_that_does_not_fit_is_refused(change: dict[str, object]) -> None:
    payload = sign(LIVE, KID, KEY).split(".")[1]
    fields = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))) | change
    signed = f"{KID}.{_b64(json.dumps(fields).encode())}"
    assert refused(f"{signed}.{_b64(KEY.sign(signed.encode()))}") == "TICKET_INVALID"


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
