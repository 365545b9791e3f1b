"""Real PostgreSQL and Valkey for the control plane's tests, from their wheels, once a session."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
import redis
from centre_support import Running, running
from links_support import Gateway, Recorder

from csu import engines, keys
from csu.cameras.secrets import SecretBox
from csu.links import recorder_link
from csu.links.recorder_link import OrderPusher
from csu.recording import asking
from csu.settings import Database, Paths, Valkey
from csu.store.migrate import migrate
from csu.store.store import Store
from recorder.channel import ChannelClient, ChannelServer


@pytest.fixture(scope="session")
def engine_paths(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    return Paths(tmp_path_factory.mktemp("engines"))


@pytest.fixture(scope="session")
def migrated(engine_paths: Paths) -> Iterator[Database]:
    engine = engines.start_postgres(engine_paths)
    database = engines.postgres_urls(engine_paths)
    migrate(database.owner_url.get_secret_value())
    yield database
    engine.stop()


@pytest.fixture(scope="session")
def valkey(engine_paths: Paths) -> Iterator[Valkey]:
    engine = engines.start_valkey(engine_paths)
    yield engines.valkey_url(engine_paths)
    engine.stop()


@pytest.fixture(scope="session")
def superuser(engine_paths: Paths, migrated: Database) -> str:
    """The superuser's libpq address: forges what the application's roles can't."""
    return engines.superuser_url(engine_paths).replace("+psycopg", "")


@pytest.fixture
def database(migrated: Database, superuser: str) -> Database:
    """Empty tables."""
    with psycopg.connect(superuser) as connection:
        names = connection.execute(
            "SELECT string_agg(quote_ident(tablename), ', ') FROM pg_tables"
            " WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
        ).fetchone()
        assert names is not None
        connection.execute(f"TRUNCATE {names[0]}".encode())
    return migrated


@pytest.fixture
async def store(database: Database) -> AsyncIterator[Store]:
    store = Store(database)
    yield store
    await store.close()


@pytest.fixture
async def centre(database: Database, valkey: Valkey, tmp_path: Path) -> AsyncIterator[Running]:
    """The application over empty tables and a small territory."""
    await asyncio.to_thread(flush, valkey)
    async with running(database, valkey, tmp_path) as started:
        yield started


def flush(valkey: Valkey) -> None:
    with redis.Redis.from_url(valkey.url.get_secret_value()) as client:
        client.flushall()


@pytest.fixture
async def recorder(centre: Running) -> AsyncIterator[Recorder]:
    paths = centre.centre.settings.paths
    peer = Recorder(keys.load_public(paths.keys, "orders"))
    async with ChannelServer(paths.recorder_socket, peer.answer):
        yield peer


@pytest.fixture
async def gateway(centre: Running) -> AsyncIterator[Gateway]:
    peer = Gateway()
    async with ChannelServer(centre.centre.settings.paths.gateway_socket, peer.answer):
        yield peer


@pytest.fixture
async def to_recorder(centre: Running) -> AsyncIterator[ChannelClient]:
    async with ChannelClient(centre.centre.settings.paths.recorder_socket) as client:
        yield client


@pytest.fixture
async def to_gateway(centre: Running) -> AsyncIterator[ChannelClient]:
    async with ChannelClient(centre.centre.settings.paths.gateway_socket) as client:
        yield client


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A real recorder on a slow machine that stands still for a while is not taken for one that is away."""
    monkeypatch.setattr(asking, "_ANSWER_S", 60)
    monkeypatch.setattr(recorder_link, "_ANSWER_S", 60)


@pytest.fixture
def pusher(centre: Running, to_recorder: ChannelClient) -> OrderPusher:
    folder = centre.centre.settings.paths.keys
    return OrderPusher(centre.centre, to_recorder, SecretBox(folder), keys.load_private(folder, "orders")[1])
