"""How a camera is reached, as a document or a form says it; its password stands apart from its addresses."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, Field, model_validator

from csu.schemas import Line
from streams.rtsp.tls import read_fingerprint


def _address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("rtsp", "rtsps") or not parts.hostname:
        raise ValueError("expected rtsp://host/... or rtsps://host/...")
    if parts.username or parts.password:
        raise ValueError("credentials belong in credentials_file, or in their own fields, not in the address")
    return value


Address = Annotated[Line, Field(max_length=500), AfterValidator(_address)]
NUMBER = r"^[0-9A-Za-z-]{1,20}$"


class Source(BaseModel):
    """`certificate`: SHA-256 of the one that the camera signed itself, for rtsps; without it an authority vouches."""

    adapter: Literal["native", "pyav"] = "native"
    main: Address
    sub: Address | None = None
    certificate: Annotated[str, AfterValidator(read_fingerprint)] | None = None

    @model_validator(mode="after")
    def _certificate_is_checked(self) -> "Source":
        clear = [url for url in (self.main, self.sub) if url is not None and not url.startswith("rtsps:")]
        if self.certificate is not None and (clear or self.adapter != "native"):
            raise ValueError("`certificate` is for rtsps:// addresses and the native adapter only")
        return self
