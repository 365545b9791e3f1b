"""An entry of the journal as persons read it."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import RowMapping

from csu.audit import looks, ops
from legal import motifs
from legal.secrecy import Secrets

_SAME = (
    "leaf", "at", "quality", "authority", "commune", "op", "camera", "camera_name", "from_at", "to_at",
    "result", "reason", "code", "workstation", "recipients",
)  # fmt: skip


WITHHELD = "Motif réservé (CPP, art. 11)"


def told(row: Mapping[str, Any], secrets: Secrets) -> dict[str, Any]:
    """A row of the journal with its leaf: labels for codes, and of its detail what the reader is told."""
    detail = json.loads(row["detail"])
    return (
        {name: row[name] for name in _SAME}
        | {
            "author": row["author_name"],
            "person": row["author"],
            "op_label": ops.label(row["op"]),
            "op_class": ops.class_of(row["op"]),
            "about": detail.get("about"),
            "given": detail.get("given"),
        }
        | told_motif(row, secrets)
        | _told_served(row["op"], detail)
    )


def _told_served(op: str, detail: Mapping[str, Any]) -> dict[str, int | None]:
    """What an entry of the gateway says was served, and how many pictures were stepped through by the page's word."""
    if op not in looks.PARTS:
        return {"frames": None, "bytes": None, "page_says_stepped": None}
    frames, _ = looks.stepped([detail.get("page_says_stepped", ())])
    return {"frames": detail.get("frames"), "bytes": detail.get("bytes"), "page_says_stepped": frames}


def told_motif(row: RowMapping | Mapping[str, Any], secrets: Secrets) -> dict[str, str | None]:
    """Motif and reference of an entry or a look, as the reader is told them."""
    code = row["motif_code"]
    if secrets.withholds(code):
        return {"motif": WITHHELD, "motif_reference": None}
    kind = motifs.KINDS.get(code or "")
    return {"motif": code if kind is None else kind.label, "motif_reference": row["motif_reference"]}
