"""What the secret of the inquiry keeps from who reads the journal (CPP 11, CP 226-13).

That a requisition exists, and its number, are for those who handle requisitions and those who control them, never for
the elected. Were the motif withheld of those replays alone, each would be told by what is missing. So who may not know
of requisitions reads no replay's motif: who looked, at which camera, when, at which pictures and with what result are
told of all replays alike, whatever the motif was.
"""

from dataclasses import dataclass

from legal import motifs
from legal.acts import Act
from legal.facts import Actor
from legal.scope import knows_requisitions


@dataclass(frozen=True, slots=True)
class Secrets:
    """`ops`: operations whose entries are not told at all. `open_motifs`: codes of the motifs that are told, with their
    references; None is all."""

    ops: frozenset[str]
    open_motifs: frozenset[str] | None

    def withholds(self, motif: str | None) -> bool:
        """Whether an entry with a motif of this code is told without it, and without its reference."""
        return motif is not None and self.open_motifs is not None and motif not in self.open_motifs


_NOTHING = Secrets(frozenset(), None)
_OF_REQUISITIONS = Secrets(
    frozenset({Act.HOLD_LIST, Act.HOLD_PUT, Act.HOLD_RELEASE, "hold:taken", "hold:freed"}),
    frozenset(code for code, kind in motifs.KINDS.items() if motifs.REPLAY not in kind.acts and not kind.is_secret),
)


def secrets_from(reader: Actor) -> Secrets:
    """What is kept from a person who reads the journal, by whatever door."""
    return _NOTHING if knows_requisitions(reader) else _OF_REQUISITIONS
