import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from csu import keys


def test_a_key_per_use_is_made_once(tmp_path: Path) -> None:
    keys.ensure_keys(tmp_path)
    before = {use: keys.load_private(tmp_path, use)[0] for use in keys.USES}
    keys.ensure_keys(tmp_path)
    assert {use: keys.load_private(tmp_path, use)[0] for use in keys.USES} == before
    assert len(set(before.values())) == len(keys.USES)


def test_private_files_are_for_their_owner_only(tmp_path: Path) -> None:
    keys.ensure_keys(tmp_path)
    for use in keys.USES:
        assert stat.S_IMODE((tmp_path / f"{use}.key").stat().st_mode) == 0o600


def test_the_public_half_verifies(tmp_path: Path) -> None:
    keys.ensure_keys(tmp_path)
    kid, private = keys.load_private(tmp_path, "ticket")
    keys.load_public(tmp_path, "ticket")[kid].verify(private.sign(b"text"), b"text")
    assert len(kid) == 16


def test_two_processes_starting_at_once_agree(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: keys.ensure_keys(tmp_path), range(8)))
    for use in keys.USES:
        kid, _ = keys.load_private(tmp_path, use)
        assert set(keys.load_public(tmp_path, use)) == {kid}
    assert not list(tmp_path.glob(".*"))


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    keys.ensure_keys(tmp_path)
    (tmp_path / "heads.key").chmod(0o640)
    with pytest.raises(keys.KeyFileError, match="0600"):
        keys.load_private(tmp_path, "heads")


@pytest.mark.parametrize("content", [b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_broken_key_file_is_named(tmp_path: Path, content: bytes) -> None:
    keys.ensure_keys(tmp_path)
    (tmp_path / "heads.key").write_bytes(content)
    with pytest.raises(keys.KeyFileError, match=r"heads\.key"):
        keys.load_private(tmp_path, "heads")


def test_missing_files_and_unknown_uses_are_named(tmp_path: Path) -> None:
    with pytest.raises(keys.KeyFileError, match=r"ticket\.pem"):
        keys.load_public(tmp_path, "ticket")
    with pytest.raises(keys.KeyFileError, match="unknown use"):
        keys.load_private(tmp_path, "../../etc/shadow")


@pytest.mark.parametrize("use", keys.USES)
def test_a_replaced_key_verifies_what_it_signed_but_for_tickets(tmp_path: Path, use: str) -> None:
    keys.ensure_keys(tmp_path)
    old, signing = keys.load_private(tmp_path, use)
    before = signing.sign(b"text")
    for _ in range(2):
        keys.replace(tmp_path, use, keys.generate())
    new, signing = keys.load_private(tmp_path, use)
    public = keys.load_public(tmp_path, use)
    assert new != old
    public[new].verify(signing.sign(b"text"), b"text")
    if use == "ticket":
        assert set(public) == {new}
    else:
        public[old].verify(before, b"text")
        assert (next(iter(public)), len(public)) == (new, 3)
    assert stat.S_IMODE((tmp_path / f"{use}.key").stat().st_mode) == 0o600
    keys.ensure_keys(tmp_path)
    assert keys.load_private(tmp_path, use)[0] == new
    assert not list(tmp_path.rglob(".*"))


def test_a_broken_public_key_among_others_is_named(tmp_path: Path) -> None:
    keys.ensure_keys(tmp_path)
    file = tmp_path / "public" / "heads.pem"
    file.write_bytes(file.read_bytes() + b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")
    with pytest.raises(keys.KeyFileError, match=r"heads\.pem"):
        keys.load_public(tmp_path, "heads")
