"""The communes that exist: name, département, population and EPCI by INSEE code (README.md: where from)."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_name("communes.tsv")
COLUMNS = ("insee", "name", "departement", "population", "epci", "epci_name")


@dataclass(frozen=True, slots=True)
class Known:
    """A commune of the official list. `epci` is the SIREN of its établissement public de coopération intercommunale,
    None for the few communes that belong to none."""

    insee: str
    name: str
    departement: str
    population: int
    epci: str | None
    epci_name: str | None


@cache
def communes() -> dict[str, Known]:
    """All of the list, by INSEE code."""
    _, *lines = FILE.read_text(encoding="utf-8").splitlines()
    return {known.insee: known for known in map(_read, lines)}


def _read(line: str) -> Known:
    insee, name, departement, population, epci, epci_name = line.split("\t")
    return Known(insee, name, departement, int(population), epci or None, epci_name or None)


def unknown(insee: str) -> str:
    """What a person is told of a code that is not on the list."""
    return f"Aucune commune n'a le code INSEE {insee} dans la liste de ce centre."
