"""What a command on the centre's tables may fail of, as one line and an exit status."""

from collections.abc import Iterator
from contextlib import contextmanager


class Failed(Exception):
    """Ends a command: `csu.cli` prints the text, and exits with `status`."""

    def __init__(self, status: int, text: object) -> None:
        super().__init__(str(text))
        self.status = status


@contextmanager
def told(*wrong_use: type[Exception]) -> Iterator[None]:
    """Raises Failed: 2 for settings, keys and what else is wrong with a command's use, 1 where the database doesn't
    do it."""
    from sqlalchemy.exc import DBAPIError

    from csu.engines import EngineError
    from csu.keys import KeyFileError
    from csu.settings import SettingsError

    wrong: tuple[type[Exception], ...] = (SettingsError, KeyFileError, *wrong_use)
    try:
        yield
    except wrong as error:
        raise Failed(2, error) from error
    except (DBAPIError, EngineError) as error:
        raise Failed(1, getattr(error, "orig", error)) from error
