"""`csu bench journal`: what an entry costs beside a plain row, how many a second, how long a million take to verify.

On a PostgreSQL of its own from the wheel, in a passing data directory, with the product's tables, roles and triggers.
The peer writes the same row into the same columns by plain INSERT and COMMIT, through the same libraries and as a
superuser: no scope set, no trigger, no row-level security.
"""

import asyncio
import sys
import time
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

import psycopg
from rich.console import Console
from rich.progress import Progress
from sqlalchemy import MetaData, insert, text
from sqlalchemy.ext.asyncio import create_async_engine

from csu import engines, keys
from csu.audit import sequencer
from csu.audit.entries import Author, Entry, append, row_of
from csu.audit.heads import HeadSigner
from csu.audit.verify import verify
from csu.bench import stage
from csu.settings import Database, Paths
from csu.store import tables
from csu.store.migrate import migrate
from csu.store.store import Store
from legal.acts import Act, Allowed
from legal.facts import (
    Actor,
    Agrement,
    Authorisation,
    Basis,
    Camera,
    Category,
    Commune,
    Convention,
    Habilitation,
    Regime,
    Right,
    Role,
    Subject,
    Validity,
)
from legal.motifs import Motif
from legal.permissions import decide

WRITERS = 8
_ROUNDS, _EACH = 12, 50
_BATCH = 5000
_DECISIONS = 20_000
_AUTHOR = Author("5b1f0c5e-5a0e-4c9f-9b51-7d6d2f0a8e11", "Opérateur 1", "CIVIL_AGREE", "poste 3")
BOUNDS = {"ratio": 1.5, "verify_s": 60.0, "decision_us": 50.0}
LEAST_PER_S = 500.0


async def run(entries: int, seconds: float) -> dict[str, Any]:
    """Measure. Raises StageError, EngineError."""
    with stage.data_directory() as paths:
        engine = await asyncio.to_thread(engines.start_postgres, paths)
        try:
            database = engines.postgres_urls(paths)
            await asyncio.to_thread(migrate, database.owner_url.get_secret_value())
            return await _measure(paths, database, entries, seconds)
        finally:
            await asyncio.to_thread(engine.stop)


async def _measure(paths: Paths, database: Database, entries: int, seconds: float) -> dict[str, Any]:
    store = Store(database, pool_size=WRITERS + 2)
    try:
        ours, peer = await _compare(store, engines.superuser_url(paths))
        per_s = await _append_rate(store, seconds)
        verify_s, verified = await _verify(paths, store, entries)
    finally:
        await store.close()
    figures = {
        "append_ms": round(ours, 3),
        "ratio": round(ours / peer, 2),
        "append_per_s": round(per_s),
        "entries": verified,
        "verify_s": round(verify_s, 1),
        "verify_per_s": round(verified / verify_s),
        "decision_us": round(_decision_us(), 1),
    }
    ok = all(figures[name] <= bound for name, bound in BOUNDS.items()) and per_s >= LEAST_PER_S
    version = f"PostgreSQL {psycopg.pq.version_pretty(psycopg.pq.version())} (libpq)"
    told = {"name": "the same row by plain INSERT and COMMIT", "version": version, "append_ms": round(peer, 3)}
    return {**figures, "writers": WRITERS, "peer": told, "bounds": BOUNDS, "least_append_per_s": LEAST_PER_S, "ok": ok}


def _entry(number: int) -> Entry:
    """As a look at a camera writes it."""
    return Entry(
        op="picture:live",
        at=datetime.now(UTC),
        author=_AUTHOR,
        authority="Maire d'Évreux",
        commune="27229",
        camera="0b0e3bb2-7f0f-4a39-9c4e-6f9d5e0a7c21",
        camera_name="01 Place du Marché",
        motif=Motif("SECURITE"),
        detail={"stream": "main", "not_after": "2026-11-26T08:00:00Z", "n": number},
    )


async def _compare(store: Store, superuser: str) -> tuple[float, float]:
    """Milliseconds of one entry and of one plain row, in turns; medians of the rounds."""
    plain = tables.journal.to_metadata(MetaData(), name="plain")
    ours, peer = [], []
    engine = create_async_engine(superuser)
    try:
        async with engine.begin() as connection:
            await connection.execute(text("CREATE TABLE plain (LIKE journal INCLUDING ALL)"))
        for _ in range(_ROUNDS):
            began_s = time.perf_counter()
            for number in range(_EACH):
                await _write(store, [_entry(number)])
            ours.append((time.perf_counter() - began_s) / _EACH)
            began_s = time.perf_counter()
            for number in range(_EACH):
                async with engine.begin() as connection:
                    await connection.execute(insert(plain), row_of(_entry(number)))
            peer.append((time.perf_counter() - began_s) / _EACH)
    finally:
        await engine.dispose()
    await sequencer.sequence(store)
    return median(ours) * 1000, median(peer) * 1000


async def _write(store: Store, written: list[Entry]) -> None:
    async with store.transaction(None) as connection:
        await append(connection, written)


async def _append_rate(store: Store, seconds: float) -> float:
    """Entries a second by so many writers, until the last one has its leaf number."""
    began_s = time.perf_counter()
    until_s = began_s + seconds

    async def writer() -> int:
        count = 0
        while time.perf_counter() < until_s:
            await _write(store, [_entry(count)])
            count += 1
        return count

    async def numbering() -> None:
        while time.perf_counter() < until_s:
            await asyncio.sleep(sequencer.TURN_S)
            await sequencer.sequence(store)

    number = asyncio.create_task(numbering())
    counts = await asyncio.gather(*(writer() for _ in range(WRITERS)))
    await number
    await sequencer.sequence(store)
    return sum(counts) / (time.perf_counter() - began_s)


async def _verify(paths: Paths, store: Store, entries: int) -> tuple[float, int]:
    """Seconds to verify a journal of so many entries at least, and how many it had."""
    signer = HeadSigner(store, *keys.load_private(paths.keys, "heads"), lambda: datetime.now(UTC))
    public = keys.load_public(paths.keys, "heads")
    size = await signer.sign()
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("entries", total=entries, completed=size)
        while size < entries:
            await _write(store, [_entry(number) for number in range(min(_BATCH, entries - size))])
            await sequencer.sequence(store)
            size = await signer.sign()
            progress.update(task, completed=size)
    print("measuring: verify", file=sys.stderr, flush=True)
    began_s = time.perf_counter()
    verdict = await verify(store, public)
    took_s = time.perf_counter() - began_s
    if not verdict.ok or verdict.entries < entries:
        raise stage.StageError(f"the journal does not verify: {verdict.as_json()}")
    return took_s, verdict.entries


def _decision_us() -> float:
    """One decision that passes every rule on pictures."""
    at = datetime(2026, 11, 26, 3, tzinfo=UTC)
    dates = Validity(at - timedelta(days=300), at + timedelta(days=300))
    held = Habilitation("h", "27229", Basis.DESIGNATION, frozenset(Right), dates)
    actor = Actor("a", Role.OPERATOR, Category.CIVIL_AGREE, None, Agrement(frozenset({"27"}), dates), (held,))
    commune = Commune("27229", "Évreux", "27", (Convention("c", dates),))
    line = Authorisation("x", frozenset({"5"}), visualised=True, recorded=True, validity=dates)
    subject = Subject(commune, Camera("k", Regime.VOIE_PUBLIQUE, (line,)))
    motif = Motif("SECURITE")
    if not isinstance(decide(actor, Act.PICTURE_LIVE, subject, motif, at), Allowed):
        raise stage.StageError("the decision that is measured should be allowed")
    began_s = time.perf_counter()
    for _ in range(_DECISIONS):
        decide(actor, Act.PICTURE_LIVE, subject, motif, at)
    return (time.perf_counter() - began_s) / _DECISIONS * 1e6
