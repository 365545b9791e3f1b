"""Proofs from the journal's tree, and its pruning at three years: what is left still verifies."""

import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from centre_support import ManualClock, Running
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from csu import keys
from csu.audit import documents, proofs
from csu.audit.entries import SYSTEM, Entry, append
from csu.audit.heads import HeadSigner
from csu.audit.proofs import ProofError
from csu.audit.prune import joined, prune
from csu.audit.sequencer import sequence
from csu.audit.verify import Verdict, verify
from csu.cli import main
from csu.settings import Database
from csu.store import tables
from csu.store.store import Store
from legal.ledger import oldest_kept_at

# PostgreSQL's clock is the machine's, and the owner can only remove what is old by it.
NOW = datetime.now(UTC)
OLD = NOW - timedelta(days=3 * 366 + 10)


class Journal:
    """A journal of its own keys, written and signed at whatever time."""

    def __init__(self, store: Store, directory: Path) -> None:
        keys.ensure_keys(directory)
        self.store = store
        self.clock = ManualClock(OLD)
        self.keys = keys.load_public(directory, "heads")
        self.signer = HeadSigner(store, *keys.load_private(directory, "heads"), self.clock)

    async def write(self, count: int, at: datetime) -> None:
        """Entries of one instant, numbered and signed then."""
        self.clock.at = at
        async with self.store.transaction(None) as connection:
            await append(connection, [Entry("test", at, SYSTEM, detail={"n": n}) for n in range(count)])
        await self.signer.close()

    async def row(self, leaf: int) -> Any:
        journal, numbers = tables.journal, tables.journal_leaf
        statement = select(journal, numbers.c.leaf).join_from(numbers, journal, numbers.c.entry == journal.c.id)
        async with self.store.transaction(None) as connection:
            return (await connection.execute(statement.where(numbers.c.leaf == leaf))).mappings().one_or_none()

    async def inclusion(self, leaf: int) -> dict[str, Any]:
        async with self.store.transaction(None) as connection:
            return await proofs.inclusion(connection, await self.row(leaf))

    async def consistency(self, size: int) -> dict[str, Any]:
        async with self.store.transaction(None) as connection:
            return await proofs.consistency(connection, size)

    async def verify(self) -> Verdict:
        return await verify(self.store, self.keys)


@pytest.fixture
def journal(store: Store, tmp_path: Path) -> Journal:
    return Journal(store, tmp_path)


@pytest.fixture
async def owner(database: Database) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(database.owner_url.get_secret_value())
    yield engine
    await engine.dispose()


async def test_every_entry_can_be_proved_also_over_kept_nodes(journal: Journal) -> None:
    await journal.write(300, NOW)
    await journal.write(280, NOW)
    for leaf in (0, 255, 256, 299, 300, 511, 512, 579):
        document = json.loads(json.dumps(await journal.inclusion(leaf)))
        assert document["head"]["tree_size"] == 580
        assert documents.check(document, journal.keys) == []
    assert documents.check(await journal.consistency(300), journal.keys) == []
    assert (await journal.verify()).ok


async def test_a_signer_that_starts_again_goes_on_from_the_kept_nodes(journal: Journal, tmp_path: Path) -> None:
    await journal.write(600, NOW)
    again = HeadSigner(journal.store, *keys.load_private(tmp_path, "heads"), journal.clock)
    async with journal.store.transaction(None) as connection:
        assert (await proofs.kept_frontier(connection)).size == 512
        await append(connection, [Entry("test", NOW, SYSTEM)])
    await again.close()
    found = await journal.verify()
    assert found.ok
    assert found.checkpoint is not None
    assert found.checkpoint["tree_size"] == 601


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda d: d.update(entry=d["entry"].replace("test", "tost")), "the entry is not that leaf"),
        (lambda d: d.update(salt="00" * 16), "the entry is not that leaf"),
        (lambda d: d.update(leaf=d["leaf"] + 1), "the entry is not that leaf"),
        (lambda d: d["proof"].pop(), "the entry is not that leaf"),
        (lambda d: d["head"].update(root="00" * 32), "the signature is not"),
        (lambda d: d["head"].update(key="0" * 16), "which is not at hand"),
    ],
)
async def test_an_altered_proof_does_not_hold(
    journal: Journal, change: Callable[[dict[str, Any]], object], fault: str
) -> None:
    await journal.write(20, NOW)
    document = await journal.inclusion(7)
    assert documents.check(document, journal.keys) == []
    change(document)
    assert any(fault in found for found in documents.check(document, journal.keys))


async def test_a_forked_journal_is_not_consistent(journal: Journal) -> None:
    await journal.write(5, NOW)
    await journal.write(5, NOW)
    document = await journal.consistency(5)
    document["old"]["root"] = document["head"]["root"]
    assert len(documents.check(document, journal.keys)) == 2


@pytest.mark.parametrize("document", [{}, {"kind": "x", "head": {}}, {"kind": "inclusion", "head": 3}])
def test_what_is_no_proof_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(documents.DocumentError, match="expected"):
        documents.check(document, {})


async def test_what_no_head_covers_yet_says_so(journal: Journal) -> None:
    async with journal.store.transaction(None) as connection:
        await append(connection, [Entry("test", NOW, SYSTEM)])
    await sequence(journal.store)
    with pytest.raises(ProofError, match="attendez une minute"):
        await journal.inclusion(0)
    with pytest.raises(ProofError, match="Aucune tête"):
        await journal.consistency(1)


async def test_row_23_the_log_is_pruned_at_three_years_and_still_verifies(journal: Journal, owner: AsyncEngine) -> None:
    await journal.write(400, OLD)
    await journal.write(50, NOW - timedelta(days=200))
    before = await journal.inclusion(420)
    assert await prune(owner, NOW) == 400
    await journal.write(1, NOW)
    found = await journal.verify()
    assert (found.ok, found.entries, found.pruned) == (True, 452, 400)
    assert await journal.row(399) is None
    for document in (before, await journal.inclusion(420), await journal.consistency(400)):
        assert documents.check(document, journal.keys) == []
    assert await prune(owner, NOW) == 0
    assert await prune(owner, NOW + timedelta(days=3 * 366)) == 0, "the database's clock prevails"


async def test_pruning_goes_on_from_what_was_pruned_before(journal: Journal, owner: AsyncEngine) -> None:
    await journal.write(3, OLD)
    await journal.write(3, OLD + timedelta(days=2))
    await journal.write(3, NOW)
    assert await prune(owner, OLD + timedelta(days=3 * 365 + 2)) == 3
    assert await prune(owner, NOW) == 3
    await journal.signer.close()
    found = await journal.verify()
    assert (found.ok, found.pruned) == (True, 6)


async def test_a_clock_that_was_set_back_makes_no_entry_older(journal: Journal, owner: AsyncEngine) -> None:
    """Heads whose times are out of order: what came after a younger head is not old, whatever its own head says."""
    await journal.write(3, OLD)
    await journal.write(2, NOW)
    await journal.write(4, OLD)
    await journal.write(1, NOW)
    assert await prune(owner, NOW) == 3
    assert await journal.row(5) is not None
    await journal.signer.close()
    found = await journal.verify()
    assert (found.ok, found.pruned) == (True, 3)


async def test_an_entry_removed_under_a_head_that_was_set_back_is_found(
    journal: Journal, owner: AsyncEngine, superuser: str
) -> None:
    await journal.write(3, OLD)
    await journal.write(2, NOW)
    await journal.write(4, OLD)
    with psycopg.connect(superuser) as connection:
        connection.execute("DELETE FROM journal WHERE id = (SELECT entry FROM journal_leaf WHERE leaf = 6)")
    async with journal.store.transaction(None) as connection_:
        detail = {"before": "", "entries": 1, "leaves": [[6, 6]]}
        await append(connection_, [Entry("journal:prune", NOW, SYSTEM, detail=detail)])
    journal.clock.at = NOW
    await journal.signer.close()
    found = await journal.verify()
    assert (found.ok, found.first_bad) == (False, 6)


async def test_the_newest_pruning_is_the_last_in_the_tree_though_the_clock_went_back(
    journal: Journal, owner: AsyncEngine
) -> None:
    """The second pruning's entry says to be older than the first's, and lists more leaves."""
    await journal.write(3, OLD)
    assert await prune(owner, NOW + timedelta(days=2)) == 3
    await journal.write(3, OLD)
    assert await prune(owner, NOW) == 3
    journal.clock.at = NOW
    await journal.signer.close()
    found = await journal.verify()
    assert (found.ok, found.pruned) == (True, 6)
    assert await prune(owner, NOW) == 0


async def test_a_forged_pruning_that_is_dated_ahead_makes_no_entry_old(journal: Journal, superuser: str) -> None:
    """No head is over it, as while the centre is stopped."""
    await journal.write(5, NOW)
    with psycopg.connect(superuser) as connection:
        connection.execute("DELETE FROM journal WHERE id = (SELECT entry FROM journal_leaf WHERE leaf = 2)")
    async with journal.store.transaction(None) as connection_:
        told = Entry("journal:prune", NOW + timedelta(days=4 * 366), SYSTEM, detail={"leaves": [[2, 2]]})
        await append(connection_, [told])
    found = await journal.verify()
    assert (found.ok, found.first_bad) == (False, 2)


async def test_an_old_entry_that_no_pruning_tells_of_is_missed(
    journal: Journal, owner: AsyncEngine, superuser: str
) -> None:
    await journal.write(3, OLD)
    await journal.write(3, OLD + timedelta(days=2))
    await journal.write(3, NOW)
    assert await prune(owner, OLD + timedelta(days=3 * 365 + 2)) == 3
    await journal.signer.close()
    with psycopg.connect(superuser) as connection:
        connection.execute("DELETE FROM journal WHERE id = (SELECT entry FROM journal_leaf WHERE leaf = 4)")
    found = await journal.verify()
    assert (found.ok, found.first_bad) == (False, 4)


async def test_a_missing_entry_is_not_made_good_by_a_forged_pruning(
    journal: Journal, owner: AsyncEngine, superuser: str
) -> None:
    """Who rules the database can remove a young entry and tell of a pruning; the signed heads say how old it was."""
    await journal.write(5, OLD)
    await journal.write(5, NOW)
    assert await prune(owner, NOW) == 5
    await journal.signer.close()
    with psycopg.connect(superuser) as connection:
        connection.execute("DELETE FROM journal WHERE id = (SELECT entry FROM journal_leaf WHERE leaf = 7)")
        connection.execute("UPDATE journal SET at = at - interval '1 s' WHERE op = 'journal:prune'")
    async with journal.store.transaction(None) as connection_:
        detail = {"before": "", "entries": 1, "leaves": [[0, 4], [7, 7]]}
        await append(connection_, [Entry("journal:prune", NOW, SYSTEM, detail=detail)])
    await journal.signer.close()
    found = await journal.verify()
    assert (found.ok, found.first_bad) == (False, 7)


async def test_nobody_removes_a_young_entry(journal: Journal, owner: AsyncEngine, store: Store) -> None:
    await journal.write(2, NOW)
    await journal.write(1, OLD)
    async with owner.begin() as connection:
        gone = await connection.execute(tables.journal.delete())
        assert gone.rowcount == 1, "row-level security is forced on the owner"
    for statement in (tables.journal.delete(), tables.journal.update().values(op="x"), tables.journal_node.delete()):
        with pytest.raises(DBAPIError, match="permission denied"):
            async with store.transaction(None) as connection:
                await connection.execute(statement)


async def test_a_forged_node_is_found(journal: Journal, superuser: str) -> None:
    await journal.write(300, NOW)
    with psycopg.connect(superuser) as connection:
        connection.execute("UPDATE journal_node SET hash = sha256(hash)")
    assert (await journal.verify()).first_bad == 0


def test_stretches_are_joined() -> None:
    assert joined([(5, 5), (0, 2), (3, 4), (9, 9)]) == [(0, 5), (9, 9)]


async def test_a_commune_proves_its_own_entry_and_no_other(centre: Running, tmp_path: Path) -> None:
    signer = HeadSigner(centre.centre.store, *keys.load_private(tmp_path / "keys", "heads"), centre.clock)
    async with centre.person("delegue") as delegate, centre.person("auditeur") as auditor:
        await signer.close()
        entries = (await auditor.get("/api/journal", limit=200)).json()["entries"]
        foreign = next(e["leaf"] for e in entries if e["op"] == "territory:import" and e["leaf"] > 0)
        await delegate.post("/api/tickets", {"requests": [await own_camera(delegate)]})
        await signer.close()
        own = (await delegate.get("/api/journal", limit=1, op="picture:live")).json()["entries"][0]["leaf"]
        answer = await delegate.get(f"/api/journal/{own}/proof")
        assert answer.status_code == 200, answer.text
        await signer.close()
        head = (await delegate.get("/api/journal/checkpoint")).json()
        going_on = await auditor.get("/api/journal/consistency", old=answer.json()["head"]["tree_size"])
        assert going_on.json()["head"]["root"] == head["root"]
        assert (await auditor.get("/api/journal/consistency", old=10**9)).json()["code"] == "PROOF_UNAVAILABLE"
        young = (await auditor.get("/api/journal/10000000/proof")).status_code
        assert young == 404
        invisible = [
            leaf for leaf in range(foreign + 1) if (await delegate.get(f"/api/journal/{leaf}/proof")).status_code == 404
        ]
        assert invisible, "entries of other communes are not the delegate's"
    for name, document in (("inclusion", answer.json()), ("consistency", going_on.json())):
        file = tmp_path / f"{name}.json"
        file.write_text(json.dumps(document))
        key = tmp_path / "keys" / "public" / "heads.pem"
        assert main(["journal", "check", str(file), "--key", str(key)]) == 0
    document = answer.json() | {"salt": "00" * 16}
    (tmp_path / "altered.json").write_text(json.dumps(document))
    assert main(["journal", "check", str(tmp_path / "altered.json"), "--key", str(key)]) == 1


async def own_camera(person: Any) -> dict[str, Any]:
    cameras = (await person.get("/api/cameras")).json()["cameras"]
    return {"camera": cameras[0]["id"], "act": "live", "stream": "main"}


async def test_row_23_an_entry_lives_three_years_to_the_instant(journal: Journal, owner: AsyncEngine) -> None:
    await journal.write(1, oldest_kept_at(NOW))
    assert await prune(owner, NOW) == 0
    assert await prune(owner, NOW + timedelta(microseconds=1)) == 1
