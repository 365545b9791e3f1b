"""The windows in which a camera's orders announce that pictures may or must be missing. Pure; UTC microseconds."""

from dataclasses import dataclass

from recorder.orders import CameraOrder
from streams.ticks import us_from_at

Interval = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Interruptions:
    """Half-open windows in no order; they may overlap."""

    planned: tuple[Interval, ...] = ()
    masked: tuple[Interval, ...] = ()

    @classmethod
    def of(cls, order: CameraOrder) -> "Interruptions":
        windows = [(i.cause, (us_from_at(i.from_at), us_from_at(i.to_at))) for i in order.interruptions]
        return cls(
            tuple(window for cause, window in windows if cause == "planned"),
            tuple(window for cause, window in windows if cause == "masked"),
        )

    def __bool__(self) -> bool:
        return bool(self.planned or self.masked)

    def is_planned(self, at_us: int) -> bool:
        return any(a <= at_us < b for a, b in self.planned)

    def is_masked(self, at_us: int) -> bool:
        return any(a <= at_us < b for a, b in self.masked)

    def bounds(self, after_us: int, upto_us: int) -> list[int]:
        """Where windows begin and end in (after, upto], in order."""
        bounds = {bound for window in (*self.planned, *self.masked) for bound in window}
        return sorted(bound for bound in bounds if after_us < bound <= upto_us)

    def unmasked(self, from_us: int, to_us: int, at_us: int) -> Interval:
        """The longest stretch of [from, to) around `at_us` without a mask, when there is none at that instant."""
        return (
            max([from_us, *(b for _, b in self.masked if b <= at_us)]),
            min([to_us, *(a for a, _ in self.masked if a > at_us)]),
        )
