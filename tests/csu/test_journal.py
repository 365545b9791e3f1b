"""The journal: entries with acts, gapless leaves, signed heads, and what verification finds."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from centre_support import START, ManualClock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from csu import keys
from csu.audit.entries import SYSTEM, Entry, append, leaf_hash, row_of
from csu.audit.heads import HeadSigner
from csu.audit.sequencer import sequence
from csu.audit.verify import Verdict, verify
from csu.store.store import Store
from csu.store.tables import journal


@pytest.fixture
def signer(store: Store, tmp_path: Path) -> HeadSigner:
    keys.ensure_keys(tmp_path)
    return HeadSigner(store, *keys.load_private(tmp_path, "heads"), ManualClock())


@pytest.fixture
def check(store: Store, tmp_path: Path) -> Callable[[], Any]:
    keys.ensure_keys(tmp_path)
    return lambda: verify(store, keys.load_public(tmp_path, "heads"))


async def write(store: Store, count: int, op: str = "test") -> None:
    async with store.transaction(None) as connection:
        entries = [Entry(op, START + timedelta(seconds=n), SYSTEM, detail={"n": n}) for n in range(count)]
        await append(connection, entries)


async def forge(superuser: str, statement: str) -> None:
    async with await psycopg.AsyncConnection.connect(superuser) as connection:
        await connection.execute(statement.encode())


async def test_a_journal_of_signed_entries_verifies(store: Store, signer: HeadSigner, check: Any) -> None:
    await write(store, 5)
    await sequence(store)
    await signer.sign()
    await write(store, 3)
    await signer.close()
    found: Verdict = await check()
    assert found.as_json() == {
        "entries": 8,
        "pruned": 0,
        "pending": 0,
        "first_bad": None,
        "checkpoint": found.checkpoint,
        "anchors": 0,
        "timestamps": 0,
        "faults": [],
        "ok": True,
    }
    assert found.checkpoint is not None
    assert found.checkpoint["tree_size"] == 8


async def test_a_journal_signed_by_two_keys_one_after_the_other_verifies(
    store: Store, signer: HeadSigner, check: Any, tmp_path: Path
) -> None:
    await write(store, 2)
    await signer.close()
    keys.replace(tmp_path, "heads", keys.generate())
    await write(store, 2)
    await HeadSigner(store, *keys.load_private(tmp_path, "heads"), ManualClock()).close()
    found: Verdict = await check()
    assert (found.ok, found.entries) == (True, 4)
    (tmp_path / "public" / "heads.pem").unlink()
    keys.ensure_keys(tmp_path)
    assert (await check()).first_bad == 0, "a key that nobody vouches for signs nothing"


async def test_an_empty_journal_verifies(check: Any) -> None:
    found: Verdict = await check()
    assert found.ok
    assert found.checkpoint is None


async def test_entries_that_wait_for_their_number_are_told(store: Store, check: Any) -> None:
    await write(store, 2)
    found: Verdict = await check()
    assert (found.ok, found.entries, found.pending) == (True, 0, 2)


@pytest.mark.parametrize(
    ("statement", "first_bad"),
    [
        ("UPDATE journal SET reason = 'x' WHERE id = (SELECT entry FROM journal_leaf WHERE leaf = 3)", 3),
        ("UPDATE journal SET at = at + interval '1 us' WHERE id = (SELECT entry FROM journal_leaf WHERE leaf = 4)", 4),
        ("UPDATE journal SET salt = '\\x00112233445566778899aabbccddeeff'", 0),
        ("DELETE FROM journal WHERE id = (SELECT entry FROM journal_leaf WHERE leaf = 2)", 2),
        ("DELETE FROM journal_leaf WHERE leaf = 6", 6),
        ("DELETE FROM journal_leaf WHERE leaf = 9", 9),
        # The end cut off, entry and leaf alike: the head above is what is left of it.
        (
            "DELETE FROM journal WHERE id = (SELECT entry FROM journal_leaf WHERE leaf = 9);"
            " DELETE FROM journal_leaf WHERE leaf = 9",
            9,
        ),
        ("UPDATE tree_head SET root = sha256(root) WHERE tree_size = 6", 0),
        ("UPDATE tree_head SET root = sha256(root) WHERE tree_size = 10", 6),
        ("UPDATE tree_head SET signed_at = signed_at + interval '1 day' WHERE tree_size = 10", 6),
        ("UPDATE tree_head SET kid = 'somebody else' WHERE tree_size = 10", 6),
        (
            "INSERT INTO journal SELECT gen_random_uuid(), at, op, result, code, reason, author, author_name, quality,"
            " authority, commune, camera, camera_name, from_at, to_at, motif_code, motif_reference, recipients,"
            " workstation, session, detail, salt FROM journal LIMIT 1; DELETE FROM journal_pending",
            10,
        ),
    ],
)
async def test_row_24_what_is_forged_is_found_where_it_is(
    store: Store, signer: HeadSigner, check: Any, superuser: str, statement: str, first_bad: int
) -> None:
    await write(store, 6)
    await signer.close()
    await write(store, 4)
    await signer.close()
    await forge(superuser, statement)
    found: Verdict = await check()
    assert not found.ok
    assert found.first_bad == first_bad


@pytest.mark.parametrize("column", sorted(column.name for column in journal.columns))
def test_row_24_nothing_of_an_entry_can_be_altered_under_its_leaf(column: str) -> None:
    row = row_of(Entry("test", START, SYSTEM))
    others = {
        "at": START + timedelta(microseconds=1),
        "from_at": START,
        "to_at": START,
        "salt": bytes(16),
        "recipients": ["another"],
    }
    assert leaf_hash(row | {column: others.get(column, "another")}) != leaf_hash(row)


async def test_a_rewritten_leaf_is_found_by_the_head_above_it(
    store: Store, signer: HeadSigner, check: Any, superuser: str
) -> None:
    """Who rewrites an entry and its leaf alike, without the key, is betrayed by the next head."""
    await write(store, 6)
    await signer.close()
    await write(store, 4)
    await signer.close()
    async with store.transaction(None) as connection:
        rows = await connection.execute(select(journal).where(journal.c.detail == '{"n":5}'))
        row = dict(rows.mappings().one())
    forged = leaf_hash({**row, "op": "forged"})
    async with await psycopg.AsyncConnection.connect(superuser) as connection:
        await connection.execute("UPDATE journal SET op = 'forged' WHERE id = %s", (row["id"],))
        await connection.execute("UPDATE journal_leaf SET hash = %s WHERE entry = %s", (forged, row["id"]))
    found: Verdict = await check()
    assert found.first_bad == 0


async def test_concurrent_writers_and_sequencers_leave_no_hole(store: Store, signer: HeadSigner, check: Any) -> None:
    async def writer(number: int) -> None:
        for _ in range(10):
            await write(store, 3, f"writer:{number}")

    async def sequencer() -> None:
        for _ in range(20):
            await sequence(store)

    async with asyncio.TaskGroup() as group:
        for number in range(8):
            group.create_task(writer(number))
        group.create_task(sequencer())
        group.create_task(sequencer())
    await signer.close()
    found: Verdict = await check()
    assert (found.ok, found.entries, found.pending) == (True, 240, 0)


async def test_an_act_that_fails_leaves_no_entry(store: Store, check: Any) -> None:
    async def fail() -> None:
        async with store.transaction(None) as connection:
            await append(connection, [Entry("test", START, SYSTEM)])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    await sequence(store)
    found: Verdict = await check()
    assert (found.entries, found.pending) == (0, 0)


async def test_a_second_signer_of_the_same_size_is_harmless(
    store: Store, signer: HeadSigner, check: Any, tmp_path: Path
) -> None:
    await write(store, 3)
    await signer.close()
    other = HeadSigner(store, *keys.load_private(tmp_path, "heads"), ManualClock())
    assert await other.sign() == 3
    found: Verdict = await check()
    assert found.ok


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=20)
@given(detail=st.dictionaries(st.text(max_size=10), st.text(max_size=20) | st.integers() | st.none(), max_size=3))
async def test_whatever_an_entry_holds_hashes_alike_after_the_database(
    store: Store, check: Any, detail: dict[str, Any]
) -> None:
    clean = {k.replace("\0", ""): v.replace("\0", "") if isinstance(v, str) else v for k, v in detail.items()}
    async with store.transaction(None) as connection:
        await append(connection, [Entry("test", START, SYSTEM, recipients=("a", "é"), detail=clean)])
    await sequence(store)
    found: Verdict = await check()
    assert found.ok
