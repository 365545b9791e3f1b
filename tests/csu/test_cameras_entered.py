"""A camera comes into the centre through the API: what is refused, what is kept, and that its password stays hidden."""

import json
from typing import Any

import psycopg
import pytest
from centre_support import Browser, Running
from test_dossiers import order_of

from csu.cameras.secrets import SecretBox

CAMERA = {
    "number": "91",
    "commune": "27229",
    "name": "Gare",
    "site": "Voie publique",
    "main": "rtsp://10.0.0.9/main",
    "sub": "rtsp://10.0.0.9/sub",
    "username": "lecteur",
    "password": "mot-de-passe-91",
}


async def entered(person: Browser, **unlike: Any) -> str:
    answer = await person.post("/api/cameras", CAMERA | unlike)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def test_a_camera_comes_in_and_its_password_is_sealed_and_never_told(centre: Running, superuser: str) -> None:
    async with centre.person("administrateur") as person:
        camera = await entered(person)
        listed = await person.get("/api/cameras")
        territory = await person.get("/api/territory")
    with psycopg.connect(superuser) as rows:
        row = rows.execute("SELECT username, secret FROM camera WHERE id = %s", (camera,)).fetchone()
    assert row is not None
    assert row[0] == "lecteur"
    assert b"mot-de-passe-91" not in row[1]
    assert SecretBox(centre.centre.settings.paths.keys).open(camera, row[1]) == "mot-de-passe-91"
    assert await order_of(centre, camera) is None
    told = json.dumps(await centre.journal(), ensure_ascii=False) + listed.text + territory.text
    assert camera in told
    for secret in ("mot-de-passe-91", "lecteur", "10.0.0.9"):
        assert secret not in told


@pytest.mark.parametrize(
    ("unlike", "status", "words"),
    [
        ({"number": "01"}, 409, "numéro 01"),
        ({"site": "Ailleurs"}, 422, "Ce lieu n'est pas enregistré"),
        ({"main": "http://10.0.0.9/main"}, 422, "Flux principal"),
        ({"main": "rtsp://lecteur:mot@10.0.0.9/main"}, 422, "sans utilisateur"),
        ({"sub": "rtsp:///sub"}, 422, "Flux réduit"),
        ({"certificate": "ab" * 32}, 422, "rtsps://"),
        ({"main": "rtsps://10.0.0.9/m", "sub": None, "certificate": "abc"}, 422, "64 chiffres"),
        ({"username": None}, 422, ""),
        ({"username": "a:b"}, 422, ""),
        ({"commune": "27056"}, 404, ""),
    ],
)
async def test_what_no_camera_can_be_is_refused_in_words_and_nothing_is_written(
    centre: Running, unlike: dict[str, Any], status: int, words: str
) -> None:
    async with centre.person("administrateur") as person:
        before = (await person.get("/api/cameras")).json()
        answer = await person.post("/api/cameras", CAMERA | unlike)
        assert answer.status_code == status, answer.text
        assert words in answer.json()["reason"]
        assert "mot" not in answer.json()["reason"].replace("mot de passe", "")
        assert (await person.get("/api/cameras")).json() == before
    if words:
        entry = next(one for one in await centre.journal() if one["op"] == "camera:enter")
        assert (entry["result"], entry["code"]) == ("refused", answer.json()["code"])


async def test_another_address_is_told_with_its_own_password_and_goes_into_the_orders(centre: Running) -> None:
    async with centre.person("administrateur") as person:
        camera = (await person.get("/api/cameras")).json()["cameras"][0]["id"]
        before = await order_of(centre, camera)
        assert before is not None
        assert before.main.password == "camera-secret"
        answer = await person.send("PUT", f"/api/cameras/{camera}/source", {"main": "rtsp://10.0.0.10/main"})
        assert answer.status_code == 200, answer.text
    after = await order_of(centre, camera)
    assert after is not None
    assert (after.main.url, after.main.username, after.main.password) == ("rtsp://10.0.0.10/main", None, None)
    entry = next(one for one in await centre.journal() if one["op"] == "camera:connect")
    assert (entry["camera"], entry["result"]) == (camera, "done")
