"""What a stored stream must be: arrêté du 3 août 2007 portant définition des normes techniques, article 2.

Pure: told what was measured. A camera in "plan étroit" mainly serves to analyse persons or objects; whether it does is
declared in its authorisation's file and not seen in its stream, so every norm is answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

ARTICLE = "arrêté du 3 août 2007, art. 2"
_PRECISION = 0.98  # a rate measured for some seconds may be so much below the true one


@dataclass(frozen=True, slots=True)
class Norm:
    """One requirement; 0 where it says nothing of size or rate. `concerns` is in French, for persons."""

    code: str
    concerns: str
    width: int = 0
    height: int = 0
    per_s: int = 0

    @property
    def required(self) -> str:
        return f"{self.per_s} images/s" if self.per_s else f"{self.width} x {self.height}"


NORMS = (
    Norm("NARROW_SIZE", "plan étroit, sauf régulation du trafic (à défaut : vignettes de visage de 90 x 60)", 704, 576),
    Norm("OTHER_SIZE", "autres plans", 352, 288),
    Norm("FAST_RATE", "plan étroit sur un flux de personnes en mouvement rapide", per_s=12),
    Norm("OTHER_RATE", "autres flux, images réelles", per_s=6),
)


@dataclass(frozen=True, slots=True)
class Use:
    """What a camera's authorisation may say that its stream is for, and the norms that bind it then."""

    code: str
    name: str
    norms: tuple[str, ...]


USES = (
    Use("NARROW_FAST", "plan étroit sur un flux de personnes en mouvement rapide", ("NARROW_SIZE", "FAST_RATE")),
    Use("NARROW", "plan étroit", ("NARROW_SIZE", "OTHER_RATE")),
    Use("WIDE", "plan large", ("OTHER_SIZE", "OTHER_RATE")),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """`met` is None when the measure was too short to tell."""

    norm: Norm
    measured: str
    met: bool | None


def judge_stream(width: int, height: int, per_s: float | None) -> tuple[Finding, ...]:
    """What a stream meets of article 2 and what it misses. `per_s` are the pictures that really came, per second."""
    findings = []
    for norm in NORMS:
        if not norm.per_s:
            met: bool | None = width >= norm.width and height >= norm.height
            findings.append(Finding(norm, f"{width} x {height}", met))
        elif per_s is None:
            findings.append(Finding(norm, "inconnu", None))
        else:
            findings.append(Finding(norm, f"{per_s:.1f} images/s", per_s >= norm.per_s * _PRECISION))
    return tuple(findings)


def judge_uses(findings: Sequence[Finding]) -> tuple[tuple[Use, bool | None], ...]:
    """For each use whether the stream meets all of its norms; None when one of them is unknown and none is missed.

    A "plan étroit" below its size is lawful where thumbnails of faces of 90 x 60 can be had: that is in the
    authorisation's file, not in the stream.
    """
    met = {finding.norm.code: finding.met for finding in findings}
    answers = []
    for use in USES:
        found = {met[code] for code in use.norms}
        answers.append((use, False if False in found else None if None in found else True))
    return tuple(answers)


def judge_declared(declared_per_s: float | None, real_per_s: float | None) -> bool | None:
    """Whether as many pictures come as the camera declares; None when one of the two is unknown."""
    if declared_per_s is None or real_per_s is None:
        return None
    return real_per_s >= declared_per_s * _PRECISION
