"""Where a command on the recordings finds them: the same options and the same order everywhere."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from csu.settings import Paths


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings file")
    parser.add_argument("--data", type=Path, metavar="DIR", help="data directory (default: CSU_DATA, else var/)")
    parser.add_argument(
        "--storage",
        type=Path,
        action="append",
        metavar="DIR",
        help="storage directory of recordings, instead of those that the settings name; may be repeated",
    )


def find(args: argparse.Namespace) -> "tuple[Paths, tuple[Path, ...]]":
    """The data directory's places, and the storage directories: those given, else those of `--config FILE`, else of
    the settings in the data directory, else the data directory's own. Raises SettingsError."""
    from csu.settings import Paths, SettingsError, check_apart, default_data, load

    if args.config is not None and args.data is not None:
        raise SettingsError("expected --config or --data, not both")
    file = args.config
    paths = Paths(args.data or default_data())
    if args.storage and file is None:
        storage = tuple(directory.absolute() for directory in args.storage)
        check_apart(storage)
        return paths, storage
    if file is None and (paths.data / "csu.toml").exists():
        file = paths.data / "csu.toml"
    if file is None:
        return paths, (paths.recordings,)
    settings = load(file)
    if args.storage:
        storage = tuple(directory.absolute() for directory in args.storage)
        check_apart(storage)
        return settings.paths, storage
    return settings.paths, settings.recordings
