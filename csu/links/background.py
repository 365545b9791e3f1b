"""The background tasks of the control plane."""

from collections.abc import Coroutine
from typing import Any

from csu.centre_state import Centre


def tasks(centre: Centre) -> list[Coroutine[Any, Any, None]]:
    return []
