"""Cameras whose recorded stream stays below what their authorisation demands of it (arrêté du 3 août 2007, art. 2)."""

from datetime import datetime, timedelta

from csu.alarms.keeper import keep
from csu.centre_state import Centre
from csu.store import in_force, tables
from legal.authorisations import Line, Plan, below_norm
from legal.facts import Validity

EVERY_S = 30.0
CODE = "STREAM_BELOW_NORM"
SOURCE = "norms"
# A rate of a few seconds says little: what is missed without a break for so long is meant.
_LASTS = timedelta(minutes=5)


class NormKeeper:
    """Each turn compares what the recorder last measured with the line in force. Nothing changes while it is away."""

    def __init__(self, centre: Centre) -> None:
        self._centre = centre
        self._since: dict[str, datetime] = {}

    async def run_once(self) -> None:
        if not self._centre.observed.recorder_answers:
            return
        now = self._centre.now()
        below = await self._below(now)
        self._since = {camera: self._since.get(camera, now) for camera in below}
        wanted = {(CODE, camera): told for camera, told in below.items() if now - self._since[camera] >= _LASTS}
        async with self._centre.store.transaction(None) as connection:
            changed = await keep(connection, SOURCE, [CODE], wanted, now)
        if changed:
            await self._centre.events.publish("alarms")

    async def _below(self, now: datetime) -> dict[str, tuple[str, str]]:
        """Cameras that miss a norm now: its code, and the commune."""
        line = tables.authorisation_line
        statement = in_force.lines().add_columns(line.c.plan, line.c.fast_flow, line.c.exemption)
        async with self._centre.store.facts() as connection:
            rows = (await connection.execute(statement.where(line.c.recorded))).mappings().all()
        found = {}
        for row in rows:
            stream = self._centre.observed.streams.get((row["camera"], "main"))
            in_service = Validity(row["from_at"], row["to_at"], row["suspended_at"]).in_force(now)
            if not in_service or stream is None or stream.state != "recording" or stream.size is None:
                continue
            use = Line(
                finalites=tuple(row["finalites"]),
                visualised=row["visualised"],
                recorded=True,
                retention_days=row["retention_days"],
                plan=None if row["plan"] is None else Plan(row["plan"]),
                fast_flow=row["fast_flow"],
                exemption=row["exemption"],
            )
            missed = below_norm(use, *stream.size, stream.per_s)
            if missed is not None:
                found[row["camera"]] = (missed.norm.code, row["commune"])
        return found
