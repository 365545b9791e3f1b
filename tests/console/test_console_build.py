"""The console's build: Node from its wheel, locked packages, and a page that a strict policy lets run."""

import json
import re
import shutil
from html.parser import HTMLParser
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

import operators_ui
from operators_ui import npm

HERE = Path(operators_ui.__file__).parent


def test_lock_names_no_registry() -> None:
    packages = json.loads((HERE / "package-lock.json").read_text())["packages"]
    assert [name for name, about in packages.items() if "resolved" in about] == []
    assert [name for name, about in packages.items() if name and not about.get("integrity")] == []


def test_dependencies_are_exact_versions() -> None:
    about = json.loads((HERE / "package.json").read_text())
    versions = {**about["dependencies"], **about["devDependencies"]}
    assert [name for name, version in versions.items() if not re.fullmatch(r"\d+\.\d+\.\d+", version)] == []


@pytest.fixture
def console(tmp_path: Path) -> ModuleType:
    """`operators_ui.npm` as of a console in a folder of its own, whose build notes that it ran."""
    (tmp_path / "word").mkdir()
    (tmp_path / "word" / "package.json").write_text('{"name": "word", "version": "1.0.0"}')
    needed = {"name": "console", "version": "1.0.0", "dependencies": {"word": "file:word"}}
    build = """node -e "fs.mkdirSync('dist'); fs.appendFileSync('built', 'x')" """
    (tmp_path / "package.json").write_text(json.dumps(needed | {"scripts": {"build": build}}))
    packages = {"": needed, "node_modules/word": {"resolved": "word", "link": True}, "word": {"version": "1.0.0"}}
    lock = {"name": "console", "version": "1.0.0", "lockfileVersion": 3, "requires": True, "packages": packages}
    (tmp_path / "package-lock.json").write_text(json.dumps(lock))
    spec = spec_from_file_location("npm_of_the_test", shutil.copy(HERE / "npm.py", tmp_path))
    assert spec is not None
    assert spec.loader is not None
    made = module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def test_digest_follows_names_and_contents(tmp_path: Path, console: ModuleType) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.ts").write_text("1")
    first = console.digest(("src", "missing.json"))
    assert console.digest(("src",)) == first
    (tmp_path / "src" / "a.ts").write_text("2")
    second = console.digest(("src",))
    (tmp_path / "src" / "a.ts").rename(tmp_path / "src" / "b.ts")
    assert len({first, second, console.digest(("src",))}) == 3


def test_build_is_skipped_when_the_sources_are_those_of_dist(tmp_path: Path, console: ModuleType) -> None:
    installed, built = tmp_path / "node_modules" / "word", tmp_path / "built"
    console.build()
    assert built.read_text() == "x"
    installed.unlink()
    console.build()
    assert built.read_text() == "x"
    (tmp_path / "index.html").write_text("changed")
    console.build()
    assert built.read_text() == "xx"
    assert not installed.exists(), "nothing is installed again for the same lock"
    with (tmp_path / "package-lock.json").open("a") as lock:
        lock.write("\n")
    console.build()
    assert built.read_text() == "xxx"
    assert installed.exists()


def test_a_failing_command_says_which() -> None:
    with pytest.raises(npm.NpmError, match=r"no-such-script` failed .*status 1"):
        npm.npm("run", "--silent", "no-such-script")


def test_the_built_page_holds_nothing_inline() -> None:
    dist = operators_ui.dist_path()
    assert (dist / "index.html").is_file(), "pip install -e . builds the console"
    page = _Page()
    page.feed((dist / "index.html").read_text())
    assert page.inline == []
    assert page.files
    for file in page.files:
        assert (dist / file.lstrip("/")).is_file()


class _Page(HTMLParser):
    """Collects what a page loads, and what it holds inline."""

    def __init__(self) -> None:
        super().__init__()
        self.files: list[str] = []
        self.inline: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.inline += [name for name in named if name == "style" or name.startswith("on")]
        if tag == "style" or (tag == "script" and "src" not in named):
            self.inline.append(tag)
        if tag in ("script", "link"):
            self.files.append(named.get("src") or named.get("href") or "")
