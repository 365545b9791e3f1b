"""What the commands on signed documents share: the files to verify, and the key that vouches for them."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--key", type=Path, metavar="PEM", help="public key (default: the centre's, keys/public)")


def read(args: argparse.Namespace) -> "tuple[dict[Path, bytes], dict[str, Ed25519PublicKey]]":
    """The files' contents and the key; needs no centre. Raises SettingsError, KeyFileError, OSError."""
    from csu import keys, settings

    if args.key is not None:
        public = keys.read_public(args.key)
    else:
        paths = settings.load(args.config).paths if args.config else settings.Paths(settings.default_data())
        public = keys.load_public(paths.keys, "statements")
    return {file: file.read_bytes() for file in args.files}, public
