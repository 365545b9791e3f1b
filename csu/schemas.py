"""Shapes that several routes share."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from csu.store.facts import KnownCommune

# One line of text, without control characters: what a person types into a field.
Line = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]*$")]


class Body(BaseModel):
    """A request's body: unknown fields are refused, so that a misspelt one is not silently ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CommuneRef(BaseModel):
    insee: str
    name: str

    @classmethod
    def of(cls, commune: KnownCommune) -> "CommuneRef":
        return cls(insee=commune.legal.insee, name=commune.legal.name)


class RefusalBody(BaseModel):
    """Every answer of status 400 and above."""

    code: str
    reason: str


class MotifRef(BaseModel):
    code: str
    label: str


class Done(BaseModel):
    done: bool = True
