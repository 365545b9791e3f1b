"""A recorder and a gateway at the other end of the control plane's channels, that answer as the real ones do."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from centre_support import START, Browser, Running

from csu import keys
from csu.tickets import verify
from recorder.channel import ChannelError
from recorder.orders import Orders
from recorder.orders import verify as verify_orders


def iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


@dataclass
class Recorder:
    """Keeps orders, gives out facts and states."""

    public: Any
    index: str = field(default_factory=lambda: str(uuid4()))
    orders: list[Orders] = field(default_factory=list)
    facts: list[dict[str, Any]] = field(default_factory=list)
    cameras: list[dict[str, Any]] = field(default_factory=list)
    acked: int = 0
    refusal: str | None = None
    storage: list[dict[str, Any]] = field(default_factory=list)
    says: dict[str, Any] = field(default_factory=dict)
    needs: list[dict[str, Any]] = field(default_factory=list)
    # The other directories' indexes, with what is in their feeds; `added` names those made with their directories.
    others: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    added: set[str] = field(default_factory=set)
    away: set[str] = field(default_factory=set)

    def tell(self, kind: str, camera: str | None, **body: Any) -> None:
        number = len(self.facts) + 1
        self.facts.append({"n": number, "at": iso(START), "kind": kind, "camera": camera, **body})

    async def answer(self, op: str, fields: dict[str, Any]) -> dict[str, Any]:
        if self.refusal is not None:
            raise ChannelError(self.refusal, "as asked")
        if op == "put_orders":
            self.orders.append(verify_orders(fields["envelope"], self.public))
            return {"version": self.orders[-1].version}
        if op == "indexes":
            return {"indexes": [{"index": i, "added": i in self.added} for i in (self.index, *self.others)]}
        if op in ("facts", "ack") and fields["index"] in self.away:
            raise ChannelError("STORAGE_DOWN", "as asked")
        if op == "facts":
            told = self.facts if fields["index"] == self.index else self.others[fields["index"]]
            facts = [fact for fact in told if fact["n"] > fields["after"]]
            return {"index": fields["index"], "facts": facts[: fields["limit"]]}
        if op == "ack":
            self.acked = fields["upto"]
            return {}
        if op == "needs":
            return {"needs": self.needs}
        if op == "coverage":
            return {
                "runs": [{"from": fields["from"], "to": fields["to"]}],
                "gaps": [{"from": fields["from"], "to": fields["to"], "cause": "network", "detail": ""}],
            }
        clock = {"trusted": True, "reason": "", "freeze": None}
        return {**self.says, "cameras": self.cameras, "clock": clock, "storage": self.storage}


@dataclass
class Gateway:
    """Keeps leases open until they are cut, gives out what was served."""

    spool: str = field(default_factory=lambda: str(uuid4()))
    leases: list[dict[str, Any]] = field(default_factory=list)
    entries: list[dict[str, Any]] = field(default_factory=list)
    renewals: int = 0
    cuts: list[dict[str, Any]] = field(default_factory=list)
    acked: int = 0
    # Leases of tickets that are redeemed as soon as it has answered once more.
    coming: list[dict[str, Any]] = field(default_factory=list)

    async def answer(self, op: str, fields: dict[str, Any]) -> dict[str, Any]:
        if op == "renew":
            self.renewals += 1
            self.cuts += fields["cut"]
            gone = {cut["ticket"] for cut in fields["cut"]}
            ended = [lease["ticket"] for lease in self.leases if lease["ticket"] in gone]
            left = [lease for lease in self.leases if lease["ticket"] not in gone]
            self.leases, self.coming = left + self.coming, []
            return {"open": left, "cut": sorted(gone), "ended": ended}
        if op == "spool":
            return {"spool": self.spool, "entries": [e for e in self.entries if e["n"] > fields["after"]]}
        self.acked = fields["upto"]
        return {"upto": self.acked}


# Camera 01 is masked for an hour, as two persons decided it.
MASK_NOW = """
    WITH two AS (
        INSERT INTO proposal (id, decision, subject, commune, reason, content, proposed_at, proposed_by, confirmed_at,
            confirmed_by)
        SELECT gen_random_uuid(), 'mask', gen_random_uuid(), camera.commune, '', '{}', at, one.id, at, other.id
        FROM (SELECT %s::timestamptz AS at) decided, camera, account one, account other
        WHERE camera.number = '01' AND one.login = 'superviseur' AND other.login = 'administrateur'
        RETURNING subject, proposed_at AS at, proposed_by
    )
    INSERT INTO interruption (id, commune, camera, cause, reason, from_at, to_at, announced_at, announced_by,
        decided_at)
    SELECT subject::uuid, camera.commune, camera.id, 'masked', 'HABITATION', at, at + interval '1 hour', at,
        proposed_by, at
    FROM two, camera WHERE camera.number = '01'
"""


async def camera_ids(person: Browser) -> dict[str, str]:
    return {camera["number"]: camera["id"] for camera in (await person.get("/api/cameras")).json()["cameras"]}


async def look(operator: Browser, centre: Running, gateway: Gateway, *numbers: str) -> list[str]:
    """Open live pictures of these cameras, as the gateway would on redeeming the tickets; the tickets' ids."""
    cameras = await camera_ids(operator)
    results = await operator.tickets(*({"camera": cameras[n], "act": "live", "stream": "main"} for n in numbers))
    public = keys.load_public(centre.centre.settings.paths.keys, "ticket")
    opened = []
    for result in results:
        ticket = verify(result["ticket"], public, centre.clock.at)
        lease = {"ticket": ticket.id, "camera": ticket.camera, "act": "live", "since": iso(centre.clock.at)}
        gateway.leases.append(lease | {"actor": ticket.actor, "session": ticket.session})
        opened.append(ticket.id)
    return opened
