"""An entry of the journal as persons read it."""

import json
from collections.abc import Mapping
from typing import Any

from csu.audit import ops
from legal import motifs

_SAME = (
    "leaf", "at", "quality", "authority", "commune", "op", "camera", "camera_name", "from_at", "to_at",
    "motif_reference", "result", "reason", "code", "workstation", "recipients",
)  # fmt: skip


def told(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the journal with its leaf: labels for codes, and of its detail what persons are told."""
    kind = motifs.KINDS.get(row["motif_code"] or "")
    detail = json.loads(row["detail"])
    return {name: row[name] for name in _SAME} | {
        "author": row["author_name"],
        "person": row["author"],
        "op_label": ops.label(row["op"]),
        "op_class": ops.class_of(row["op"]),
        "about": detail.get("about"),
        "given": detail.get("given"),
        "motif": row["motif_code"] if kind is None else kind.label,
    }
