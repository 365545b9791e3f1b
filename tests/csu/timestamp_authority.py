"""A real time-stamping authority: openssl's, behind HTTP on this machine."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from tests.programs import OPENSSL

_CONFIG = """
[ req ]
distinguished_name = name
prompt = no
[ name ]
CN = Fictitious authority
[ root ]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
[ leaf ]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
[ tsa ]
default_tsa = one
[ one ]
serial = {folder}/serial
signer_cert = {folder}/leaf.pem
signer_key = {folder}/leaf.key
signer_digest = sha256
default_policy = 1.3.6.1.4.1.13762.3
digests = sha256, sha512
ess_cert_id_alg = sha256
"""


class Authority:
    """Its certificates and its address; `answer` is what it does with a request."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder, self.url, self.asked, self.status = folder, "", 0, 200
        (folder / "serial").write_text("01\n")
        (folder / "openssl.cnf").write_text(_CONFIG.format(folder=folder))
        self._make("root", "-x509", "-subj", "/CN=Fictitious root")
        self._make("leaf", "-x509", "-CA", str(self.root), "-CAkey", str(folder / "root.key"))

    @property
    def root(self) -> Path:
        return self.folder / "root.pem"

    def _make(self, name: str, *options: str) -> None:
        key, certificate = self.folder / f"{name}.key", self.folder / f"{name}.pem"
        self.run(
            *("req", "-newkey", "rsa:2048", "-nodes", "-days", "3650", "-config", str(self.folder / "openssl.cnf")),
            *("-extensions", name, "-keyout", str(key), "-out", str(certificate), *options),
        )

    def run(self, *arguments: str) -> None:
        done = subprocess.run([OPENSSL, *arguments], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        query, reply = self.folder / "query.tsq", self.folder / "reply.tsr"
        query.write_bytes(await request.read())
        config = str(self.folder / "openssl.cnf")
        self.run("ts", "-reply", "-config", config, "-section", "one", "-queryfile", str(query), "-out", str(reply))
        response = web.StreamResponse(status=self.status, headers={"Content-Type": "application/timestamp-reply"})
        await response.prepare(request)
        token = reply.read_bytes()
        await response.write(token[:100])
        await asyncio.sleep(0.05)  # over a slow line an answer comes in parts
        await response.write(token[100:])
        return response


@asynccontextmanager
async def authority(folder: Path) -> AsyncIterator[Authority]:
    made = Authority(folder)
    app = web.Application()
    app.router.add_post("/", made.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    try:
        yield made
    finally:
        await runner.cleanup()
