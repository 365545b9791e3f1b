"""A bench's figures as a table for persons: what was measured, on what, when, and the bounds beside."""

import shlex
import sys
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from csu.bench import proc


def show(title: str, figures: dict[str, Any], inputs: str) -> None:
    """Print to stdout. Nested figures (peer, floor) get columns of their own; `bounds` the last one."""
    columns = [name for name in ("peer", "floor") if isinstance(figures.get(name), dict)]
    table = Table(title=title, title_justify="left")
    for heading in ("figure", "ours", *columns, "bound"):
        table.add_column(heading)
    bounds = figures.get("bounds", {})
    for name, value in figures.items():
        if name in ("peer", "floor", "bounds") or isinstance(value, dict):
            continue
        bound = (
            f"<= {bounds[name]}{'' if value is not None and value <= bounds[name] else '  MISSED'}"
            if name in bounds
            else ""
        )
        table.add_row(name, str(value), *(str(figures[c].get(name, "")) for c in columns), bound)
    console = Console(width=110)
    console.print(table)
    if isinstance(figures.get("peer"), dict):
        console.print(f"peer     {figures['peer']['name']} {figures['peer']['version']}", highlight=False)
    console.print(f"machine  {proc.machine()}", highlight=False)
    console.print(f"input    {inputs}", highlight=False)
    console.print(f"command  csu {shlex.join(sys.argv[1:])}", highlight=False)
    console.print(f"date     {datetime.now(UTC):%Y-%m-%d %H:%M} UTC", highlight=False)
