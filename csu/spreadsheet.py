"""Tables for a French spreadsheet: semicolons, and a byte order mark that says UTF-8."""

import csv
import io
from collections.abc import Iterable, Sequence

MARK = "\ufeff"


def lines(rows: Iterable[Sequence[object]]) -> str:
    """Rows as they stand in the file; what a spreadsheet would take for a formula becomes text."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerows([plain(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
    return out.getvalue()


def plain(text: str) -> str:
    """Spreadsheets skip spaces before they look for a formula's sign."""
    return f"'{text}" if text.lstrip(" ")[:1] in ("=", "+", "-", "@", "\t", "\r", "\n") else text
