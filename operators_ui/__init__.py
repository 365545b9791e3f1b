"""The web console: TypeScript sources beside this file, built into `dist/` when the package is installed."""

from pathlib import Path


def dist_path() -> Path:
    """The folder of the built console; its `index.html` is the page of every address of the console."""
    return Path(__file__).parent / "dist"
