"""How much each camera records in a day, read from an index: what a directory must hold is reckoned with it."""

import sqlite3

from recorder.index import HOUR_US

_DAY_US = 24 * HOUR_US
KNOWN_US = HOUR_US
"""A camera must have recorded so long before its rate says anything of a day."""


def read_rates(connection: sqlite3.Connection) -> dict[str, int]:
    """Bytes per day of each camera, by its identifier, at the rate of the last day on which it recorded."""
    rows = connection.execute(
        "SELECT c.uuid, sum(h.bytes) * ? / sum(h.time_us) FROM camera c"
        " JOIN (SELECT camera, max(hour_us) AS last_us FROM hour GROUP BY camera) n ON n.camera = c.id"
        " JOIN hour h ON h.camera = c.id AND h.hour_us > n.last_us - ? GROUP BY c.id HAVING sum(h.time_us) >= ?",
        (_DAY_US, _DAY_US, KNOWN_US),
    )
    return dict(rows.fetchall())
