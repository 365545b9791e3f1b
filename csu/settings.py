"""Settings of a centre, read once from a TOML file and handed down by value; and the places in its data directory."""

import hashlib
import os
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

_MAILBOX = r"^[^\s@<>,]+@[^\s@<>,]+$"
SAMPLE_PASSWORD = "CHANGE-ME"  # noqa: S105  what config/csu.toml shows, and what is refused


class SettingsError(Exception):
    """The settings file can't be used; the text says which key and what was expected."""


@dataclass(frozen=True, slots=True)
class Paths:
    """Where each thing lives below a data directory."""

    data: Path

    @property
    def keys(self) -> Path:
        return self.data / "keys"

    @property
    def postgres(self) -> Path:
        return self.data / "postgres"

    @property
    def valkey(self) -> Path:
        return self.data / "valkey"

    @property
    def recordings(self) -> Path:
        """The storage directory, where the settings name none."""
        return self.data / "recordings"

    def storage(self, directories: Sequence[Path]) -> dict[Path, Path]:
        """For each storage directory the recorder's file that remembers its identity."""
        return {directory: self._memory(directory) for directory in directories}

    def _memory(self, directory: Path) -> Path:
        if directory == self.recordings:
            return self.recorder / "storage.json"
        return self.recorder / f"storage-{hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]}.json"

    @property
    def recorder(self) -> Path:
        return self.data / "recorder"

    @property
    def gateway(self) -> Path:
        return self.data / "gateway"

    @property
    def simulator(self) -> Path:
        return self.data / "simulator"

    @property
    def run(self) -> Path:
        return self.data / "run"

    @property
    def log(self) -> Path:
        return self.data / "log"

    @property
    def recorder_socket(self) -> Path:
        return self.run / "recorder.sock"

    @property
    def packets_socket(self) -> Path:
        return self.run / "packets.sock"

    @property
    def gateway_socket(self) -> Path:
        return self.run / "gateway.sock"


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _origin(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/"):
        raise ValueError("expected an origin such as https://csu.example.fr or http://localhost:8080")
    return value.rstrip("/")


class Console(_Table):
    """Where the control plane listens, and the origin that browsers use."""

    bind: str = "127.0.0.1"
    port: int = Field(default=8080, ge=1, le=65535)
    origin: str = "http://localhost:8080"
    # Reverse proxies whose X-Forwarded-For is believed; of anybody else it is ignored.
    trusted_proxies: frozenset[IPv4Address | IPv6Address] = frozenset()

    _check_origin = field_validator("origin")(_origin)


class Gateway(_Table):
    """Where pictures are served from; WebRTC binds only the addresses given."""

    bind: str = "127.0.0.1"
    port: int = Field(default=8081, ge=1, le=65535)
    origin: str = "http://localhost:8081"
    webrtc_addresses: tuple[IPv4Address | IPv6Address, ...] = ()

    _check_origin = field_validator("origin")(_origin)


class Database(_Table):
    """Three roles of one PostgreSQL: the application, the guard that reads legal facts, the owner of the tables."""

    url: SecretStr
    guard_url: SecretStr
    owner_url: SecretStr

    @field_validator("url", "guard_url", "owner_url")
    @classmethod
    def _check_password(cls, value: SecretStr) -> SecretStr:
        if SAMPLE_PASSWORD in value.get_secret_value():
            raise ValueError("this is the sample's password: give this role one of its own")
        return value


class AnchorMail(_Table):
    """A relay that takes mail from this machine without a password."""

    host: str = Field(min_length=1)
    port: int = Field(default=25, ge=1, le=65535)
    sender: str = Field(alias="from", pattern=_MAILBOX)
    to: tuple[Annotated[str, Field(pattern=_MAILBOX)], ...] = Field(min_length=1)


class Journal(_Table):
    """Where the journal's newest head goes each day, so that nobody here can write another history."""

    anchor_file: Path | None = None
    anchor_mail: AnchorMail | None = None
    timestamp_url: str | None = Field(default=None, pattern=r"^https?://")
    # Certificates of the time-stamping authority, PEM.
    timestamp_ca: Path | None = None

    @model_validator(mode="after")
    def _with_certificates(self) -> Self:
        if self.timestamp_url is not None and self.timestamp_ca is None:
            raise ValueError("timestamp_url needs timestamp_ca, the authority's certificates in PEM")
        return self

    def below(self, folder: Path) -> Self:
        """With relative paths counted from this folder."""
        files = {"anchor_file": self.anchor_file, "timestamp_ca": self.timestamp_ca}
        return self.model_copy(update={name: folder / file for name, file in files.items() if file is not None})


class Valkey(_Table):
    url: SecretStr


class Settings(_Table):
    """One centre. Times in seconds, sizes in bytes; see config/csu.toml for a commented sample."""

    name: str = Field(default="Centre de supervision urbain", min_length=1)
    data: Path
    # Storage directories, each on a disk of its own; of a loaded file never empty.
    recordings: tuple[Path, ...] = ()
    # The demo's: PostgreSQL and Valkey come from their wheels, and a command may start them for its own time.
    embedded: bool = False
    console: Console = Console()
    gateway: Gateway = Gateway()
    database: Database
    valkey: Valkey
    journal: Journal = Journal()

    _file: Path | None = PrivateAttr(default=None)

    @property
    def paths(self) -> Paths:
        return Paths(self.data)

    def secret_files(self) -> list[Path]:
        """The files that nobody but the centre may read: these settings, and its keys."""
        keys = sorted(self.paths.keys.glob("*.key"))
        return keys if self._file is None else [self._file, *keys]


def default_data() -> Path:
    """`CSU_DATA`, else `var/` beside pyproject.toml."""
    configured = os.environ.get("CSU_DATA")
    return Path(configured) if configured else Path(__file__).resolve().parent.parent / "var"


def resolve(file: Path | None) -> Settings:
    """The settings of `--config FILE`, else those that the demo left in its data directory. Raises SettingsError."""
    if file is None:
        file = default_data() / "csu.toml"
        if not file.exists():
            raise SettingsError(f"{file} does not exist yet: run `csu demo` once, or give --config FILE")
    return load(file)


def load(file: Path) -> Settings:
    """Read and check a settings file.

    Raises SettingsError when it is missing, readable by others than its owner and group (it holds database
    passwords), not TOML, or when a key is unknown, missing or wrong.
    """
    try:
        if is_open_to_others(file):
            raise SettingsError(f"{file}: others can read or write it; expected mode 0640 or less (chmod o= {file})")
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file}: not TOML: {error}") from error
    try:
        settings = Settings.model_validate(document)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in error.errors())
        raise SettingsError(f"{file}: {faults}") from error
    data = settings.data if settings.data.is_absolute() else (file.parent / settings.data).resolve()
    recordings = tuple(Path(os.path.normpath(data / directory)) for directory in settings.recordings)
    check_apart(recordings)
    update = {"data": data, "recordings": recordings or (Paths(data).recordings,)}
    loaded = settings.model_copy(update=update | {"journal": settings.journal.below(file.parent.resolve())})
    loaded._file = file.resolve()
    return loaded


def is_open_to_others(file: Path) -> bool:
    """Whether others than a file's owner and group can read or write it. Raises OSError."""
    return bool(file.stat().st_mode & 0o007)


def check_apart(directories: Sequence[Path]) -> None:
    """Raise SettingsError when two storage directories are the same, or one lies inside another."""
    real = [Path(os.path.realpath(directory)) for directory in directories]
    for number, one in enumerate(real):
        for other in range(number):
            if one == real[other] or one in real[other].parents or real[other] in one.parents:
                raise SettingsError(
                    f"recordings: {directories[other]} and {directories[number]} are the same directory, or one is"
                    " inside the other; expected directories apart, each on a disk of its own"
                )
