"""Builds the console inside `pip install`, editable or not. Declared in pyproject.toml; hatchling loads it by path."""

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ConsoleBuildHook(BuildHookInterface[Any]):
    """Runs `operators_ui.npm.build` before the wheel is put together."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build `dist/`; a failure ends the installation with one plain line (SystemExit, no traceback)."""
        if self.target_name != "wheel":
            return
        if self.root not in sys.path:
            sys.path.insert(0, self.root)
        from operators_ui import npm

        try:
            npm.build()
        except npm.NpmError as error:
            sys.exit(f"the console could not be built: {error}")
        if not (Path(self.root) / "operators_ui" / "dist" / "index.html").is_file():
            sys.exit("the console could not be built: npm run build left no operators_ui/dist/index.html")
