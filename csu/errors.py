"""What the control plane answers when it does not do what was asked: a status, a stable code, a French sentence."""


class Refusal(Exception):
    """Raised to answer with `{"code", "reason"}`. Within an act it is journalled first (`Visit.refusing`), any other of
    a person's as it is answered (`web.py`)."""

    def __init__(self, status: int, code: str, reason: str) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code
        self.reason = reason


class Told(Refusal):
    """A refusal that is in the journal already."""


def not_found() -> Refusal:
    """The one answer for what does not exist and for what is foreign to the person."""
    return Refusal(404, "NOT_FOUND", "Élément inconnu.")


def invalid(reason: str) -> Refusal:
    return Refusal(422, "INVALID", reason)
