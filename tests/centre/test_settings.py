"""Settings: the sample is what it says, and a wrong file is refused with what was expected."""

from pathlib import Path

import pytest

from csu.settings import SAMPLE_PASSWORD, Settings, SettingsError, load

SAMPLE = Path(__file__).parents[2] / "config" / "csu.toml"


def write(folder: Path, text: str, mode: int = 0o600) -> Path:
    file = folder / "csu.toml"
    file.write_text(text, encoding="utf-8")
    file.chmod(mode)
    return file


def test_the_sample_is_accepted_once_its_passwords_are_changed(tmp_path: Path) -> None:
    settings = load(write(tmp_path, SAMPLE.read_text().replace(SAMPLE_PASSWORD, "s3cret")))
    assert settings.data == Path("/var/lib/csu")
    assert settings.gateway.origin == "https://images.csu.example.fr"


def test_the_sample_names_every_setting(tmp_path: Path) -> None:
    text = SAMPLE.read_text()
    tables = [Settings, *(field.annotation for field in Settings.model_fields.values())]
    keys = {key for table in tables if hasattr(table, "model_fields") for key in table.model_fields}
    assert {key for key in keys if key not in text} == {"embedded"}  # the demo's own


def test_the_samples_passwords_are_refused_and_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="give this role one of its own") as refused:
        load(write(tmp_path, SAMPLE.read_text()))
    assert SAMPLE_PASSWORD not in str(refused.value)


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="chmod"):
        load(write(tmp_path, SAMPLE.read_text(), 0o644))


def test_storage_directories_are_named_or_the_data_directory_s_own(tmp_path: Path) -> None:
    text = SAMPLE.read_text().replace(SAMPLE_PASSWORD, "s3cret")
    assert load(write(tmp_path, text)).recordings == (Path("/var/lib/csu/recordings"),)
    two = 'data = "/var/lib/csu"\nrecordings = ["/srv/disk1/csu", "second"]\n'
    settings = load(write(tmp_path, text.replace('data = "/var/lib/csu"\n', two)))
    assert settings.recordings == (Path("/srv/disk1/csu"), Path("/var/lib/csu/second"))
    memories = settings.paths.storage((Path("/var/lib/csu/recordings"), *settings.recordings))
    assert len(set(memories.values())) == 3
    assert memories[Path("/var/lib/csu/recordings")] == Path("/var/lib/csu/recorder/storage.json")


@pytest.mark.parametrize("other", ["one", "one/", "./one", "one/inside", "link", ""])
def test_storage_directories_that_are_not_apart_are_refused(tmp_path: Path, other: str) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "link").symlink_to("one")
    both = f'data = "{tmp_path}"\nrecordings = ["one", "{other}"]\n'
    text = SAMPLE.read_text().replace(SAMPLE_PASSWORD, "s3cret").replace('data = "/var/lib/csu"\n', both)
    with pytest.raises(SettingsError, match="expected directories apart"):
        load(write(tmp_path, text))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('data = "/var/lib/csu"\nspelling = 1', "spelling"),
        ('data = "/var/lib/csu"\nname = ""', "name"),
        ("data = [", "not TOML"),
    ],
)
def test_a_wrong_file_says_what_is_wrong(tmp_path: Path, line: str, expected: str) -> None:
    text = SAMPLE.read_text().replace(SAMPLE_PASSWORD, "s3cret").replace('name = "CSU de l\'Eure"', "")
    with pytest.raises(SettingsError, match=expected):
        load(write(tmp_path, text.replace('data = "/var/lib/csu"', line)))


def test_an_origin_with_a_path_is_refused(tmp_path: Path) -> None:
    text = SAMPLE.read_text().replace(SAMPLE_PASSWORD, "s3cret")
    with pytest.raises(SettingsError, match="expected an origin"):
        load(write(tmp_path, text.replace("https://csu.example.fr", "https://csu.example.fr/console")))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent\.toml"):
        load(tmp_path / "absent.toml")
