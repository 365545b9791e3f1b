"""Makes `centre_of_before.json`: every row of a centre whose tables are those of the first release (migration 0002).

    git worktree add --detach DIR d1082ac
    PYTHONPATH=DIR:DIR/tests/csu .venv/bin/python tests/csu/make_centre_of_before.py

People logged in, looked, were refused, and put a hold; the journal has leaves, heads and their public key.
"""

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

import psycopg
from centre_support import running
from test_holds import Peer, _body, _camera

from csu import engines, keys
from csu.audit.heads import HeadSigner
from csu.audit.sequencer import sequence
from csu.settings import Paths
from csu.store.migrate import migrate
from recorder.channel import ChannelServer

FILE = Path(__file__).with_name("centre_of_before.json")


async def _live(paths: Paths) -> dict[str, str]:
    """The heads' public keys, by their names."""
    async with running(engines.postgres_urls(paths), engines.valkey_url(paths), paths.data) as centre:
        async with (
            ChannelServer(centre.centre.settings.paths.recorder_socket, Peer(centre).answer),
            centre.person("superviseur") as supervisor,
            centre.person("operateur") as operator,
        ):
            camera = await _camera(supervisor)
            assert (await supervisor.post("/api/holds", _body(camera))).status_code == 201
            await operator.tickets({"camera": camera, "act": "live", "stream": "main"})
        await sequence(centre.centre.store)
        key_id, private = keys.load_private(paths.keys, "heads")
        await HeadSigner(centre.centre.store, key_id, private, centre.clock).sign()
        return {key_id: private.public_key().public_bytes_raw().hex()}


def _rows(address: str) -> dict[str, Any]:
    with psycopg.connect(address) as connection:
        names = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version' ORDER BY 1"
        ).fetchall()
        tables = {}
        for (name,) in names:
            rows = connection.execute(f"SELECT to_jsonb(t) FROM {name} t ORDER BY t::text".encode()).fetchall()
            tables[name] = [row for (row,) in rows]
    return tables


def make(data: Path) -> None:
    paths = Paths(data)
    started = [engines.start_postgres(paths), engines.start_valkey(paths)]
    try:
        migrate(engines.postgres_urls(paths).owner_url.get_secret_value())
        heads = asyncio.run(_live(paths))
        tables = _rows(engines.superuser_url(paths).replace("+psycopg", ""))
    finally:
        for engine in started:
            engine.stop()
    FILE.write_text(json.dumps({"heads": heads, "tables": tables}, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        make(Path(directory))
