"""Which cameras a person knows of. Any other identifier is, for that person, one that does not exist."""

from csu.accounts.guard import Visit
from csu.store import facts
from csu.store.facts import KnownCamera
from legal.acts import Act, Refused

UNKNOWN_CAMERA = Refused("UNKNOWN_CAMERA", "Caméra inconnue.", "CSI R.253-3 II 2°")


async def cameras_of(visit: Visit) -> list[KnownCamera]:
    """The person's inventory, by camera number."""
    async with visit.centre.store.facts() as connection:
        return list((await facts.cameras(connection, of_communes=visit.communes)).values())


async def camera_of(visit: Visit, camera_id: str) -> KnownCamera:
    """A camera of the person's inventory. Otherwise the refusal is journalled with its true code, and the answer is
    the same 404 for a foreign camera and for none."""
    async with visit.centre.store.facts() as connection:
        camera = (await facts.cameras(connection, [camera_id])).get(camera_id)
    if camera is None:
        await visit.hide(visit.entry(visit.act, detail={"camera": camera_id}), UNKNOWN_CAMERA)
    outcome = visit.decide(Act.TIMELINE_READ, camera.subject)
    if isinstance(outcome, Refused):
        await visit.hide(visit.entry(visit.act, camera), outcome)
    return camera
