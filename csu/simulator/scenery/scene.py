"""A scene in motion: who is where at each instant of its loop."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import atan2, hypot, pi

import cv2
import numpy as np

from csu.simulator.barcode import Image
from csu.simulator.cameras import DUMPING_CAMERA, PLACES
from csu.simulator.scenery import street
from csu.simulator.scenery.actors import CAR, ESTATE, VAN, Actor, Box, Person, Pose, Shape, Tree, Vehicle
from csu.simulator.scenery.canvas import Canvas, Colour
from csu.simulator.scenery.layouts import LAYOUTS
from csu.simulator.scenery.street import Layout

_PAINTS: tuple[Colour, ...] = (
    (168, 170, 172),
    (60, 58, 56),
    (150, 90, 50),
    (54, 52, 158),
    (226, 226, 224),
    (96, 110, 74),
    (120, 124, 128),
)
_CLOTHES: tuple[Colour, ...] = (
    (120, 70, 44),
    (60, 52, 150),
    (74, 104, 62),
    (52, 48, 46),
    (160, 150, 140),
    (50, 130, 190),
    (130, 60, 110),
)
_TROUSERS: tuple[Colour, ...] = ((92, 64, 44), (48, 46, 44), (96, 104, 110), (70, 58, 50))
_NOISES = 4
_STRIP_Y = 1020 / 1080  # the barcode's strip begins here

Moment = Callable[[float], list[Actor]]


@dataclass(frozen=True, slots=True)
class Path:
    """A polyline on the ground, gone at a steady speed (m/s) from an instant of the loop (s) on."""

    points: tuple[tuple[float, float], ...]
    speed: float
    start_s: float

    @property
    def length_m(self) -> float:
        return sum(hypot(c - a, d - b) for (a, b), (c, d) in pairwise(self.points))

    @property
    def end_s(self) -> float:
        return self.start_s + self.length_m / self.speed

    def at(self, t_s: float) -> tuple[Pose, float] | None:
        """Pose and metres gone, or None before the start and after the end."""
        gone = (t_s - self.start_s) * self.speed
        if gone < 0:
            return None
        rest = gone
        for (a, b), (c, d) in pairwise(self.points):
            step = hypot(c - a, d - b)
            if rest <= step:
                share = rest / step
                return Pose(a + (c - a) * share, b + (d - b) * share, atan2(c - a, d - b)), gone
            rest -= step
        return None


@dataclass(frozen=True, slots=True)
class Dumping:
    """What truly happens in the long loop, in seconds from its start."""

    van_stops_s: float
    first_put_down_s: float
    last_put_down_s: float
    van_leaves_s: float


class Scene:
    """Pictures of one street; asking for the same instant twice gives the same picture."""

    def __init__(self, number: int, loop_s: float, width: int, height: int) -> None:
        layout = LAYOUTS[number - 1]
        image: Image = np.zeros((height, width, 3), np.uint8)
        self._canvas = Canvas(image, layout.view)
        self._loop_s = loop_s
        street.paint(self._canvas, layout)
        rng = np.random.default_rng(layout.seed + 1)
        self._standing = _parked(layout, rng) + _trees(layout, rng)
        for actor in sorted(self._standing, key=lambda a: -self._depth(a)):
            actor.shadow(self._canvas)
            actor.draw(self._canvas)
        self._moments = _traffic(layout, loop_s, rng) + _walkers(layout, loop_s, rng)
        if number == DUMPING_CAMERA and loop_s >= _DUMPING_S:
            self._moments.append(_dumping(layout))
        self._caption, self._caption_mask = _caption(image, number)
        # The grain of a sensor, from a few pictures made beforehand: drawing noise on each frame would cost too much.
        self._bases = [_noisy(image, rng) for _ in range(_NOISES)]
        self._order = rng.integers(0, _NOISES, 997)
        self._working = image

    def at(self, t_s: float) -> Image:
        """The picture at an instant of the loop, uint8 [height, width, 3] BGR; valid until the next call."""
        base = self._bases[self._order[int(t_s * 25 + 0.5) % len(self._order)]]
        np.copyto(self._working, base)
        canvas = self._canvas.on(self._working)
        moving = [actor for moment in self._moments for actor in moment(t_s % self._loop_s)]
        moving = [actor for actor in moving if self._depth(actor) > 2.0]
        for actor in moving:
            actor.shadow(canvas)
        standing = [p for p in self._standing if any(self._hides(p, m) for m in moving)]
        for actor in sorted([*moving, *standing], key=lambda a: -self._depth(a)):
            actor.draw(canvas)
        cv2.copyTo(self._caption, self._caption_mask, self._working[: self._caption.shape[0]])
        top = round(self._working.shape[0] * _STRIP_Y)
        self._working[top:] = base[top:]
        return self._working

    def _depth(self, actor: Actor) -> float:
        return self._canvas.depth((actor.pose.x, actor.pose.y, 0.5))

    def _hides(self, near: Actor, far: Actor) -> bool:
        if self._depth(near) >= self._depth(far):
            return False
        (a, _), (b, _) = self._canvas.project(near.outline), self._canvas.project(far.outline)
        return bool((a.min(axis=0) < b.max(axis=0)).all() and (b.min(axis=0) < a.max(axis=0)).all())


def _parked(layout: Layout, rng: np.random.Generator) -> list[Actor]:
    if layout.road[1] - layout.road[0] < 7 or layout.bins:
        return []
    x = layout.road[1] - 1.1
    places = np.arange(13.0, 46.0, 6.2)
    shapes = (CAR, ESTATE, CAR, VAN)
    return [
        Vehicle(Pose(x, float(y), 0.0), shapes[int(rng.integers(4))], _paint(rng))
        for y in places
        if rng.random() < 0.55
        and not (layout.crossing is not None and abs(y - layout.crossing - 1.5) < 5)
        and not (layout.side_street is not None and abs(y - layout.side_street - 3.5) < 7)
    ]


def _trees(layout: Layout, rng: np.random.Generator) -> list[Actor]:
    """Trees at the kerb, or behind the hedge of a park."""
    trees: list[Actor] = []
    for side in layout.trees:
        left = side == "left"
        x = layout.road[0] - 0.7 if left else layout.road[1] + 0.7
        if (layout.left if left else layout.right) != "houses":
            x = street.edge(layout, left) + (-2.0 if left else 2.0)
        trees += [_tree(x, float(y), rng) for y in np.arange(18.0, 100.0, 11.0)]
    return trees


def _tree(x: float, y: float, rng: np.random.Generator) -> Tree:
    return Tree(Pose(x, y, 0.0), float(rng.uniform(5.5, 7.5)), int(rng.integers(1 << 30)))


def _traffic(layout: Layout, loop_s: float, rng: np.random.Generator) -> list[Moment]:
    """Vehicles that come and go on both lanes, one each ten seconds or so."""
    left, right = layout.road
    away = left + (right - left) * 0.62 if right - left < 7 or layout.bins else left + (right - left) * 0.5
    towards = left + (right - left) * 0.22
    moments: list[Moment] = []
    far = street.END_M - 6
    start = float(rng.uniform(0, 4))
    while start < loop_s - 13:
        ahead = rng.random() < 0.5
        points = ((away, -4.0), (away, far)) if ahead else ((towards, far), (towards, -4.0))
        speed = float(rng.uniform(8.5, 11.5))
        shape = (CAR, ESTATE, CAR, VAN)[int(rng.integers(4))]
        moments.append(_drive(Path(points, speed, start), shape, _paint(rng)))
        start += float(rng.uniform(7, 15)) if layout.view.focal > 0.65 else float(rng.uniform(5, 10))
    return moments


def _drive(path: Path, shape: Shape, colour: Colour) -> Moment:
    def moment(t_s: float) -> list[Actor]:
        found = path.at(t_s)
        return [] if found is None else [Vehicle(found[0], shape, colour, found[1])]

    return moment


def _walkers(layout: Layout, loop_s: float, rng: np.random.Generator) -> list[Moment]:
    """Persons who step out of one door, go along the pavement, and into another; some cross the road."""
    moments: list[Moment] = []
    start = 0.3
    while start < loop_s - 9:
        for left in (True, False):
            points = _way(layout, left, loop_s - start - 0.5, rng)
            path = Path(points, float(rng.uniform(1.2, 1.55)), start + float(rng.uniform(0, 3)))
            if path.end_s < loop_s:
                moments.append(_walk(path, _pick(_CLOTHES, rng), _pick(_TROUSERS, rng), float(rng.uniform(0.92, 1.05))))
        start += float(rng.uniform(4, 9))
    return moments


def _way(layout: Layout, left: bool, most_s: float, rng: np.random.Generator) -> tuple[tuple[float, float], ...]:
    door, inside = street.edge(layout, left), 0.6 if left else -0.6
    lane = door + inside * float(rng.uniform(1.2, layout.pavement_m / 0.75))
    nearest = 24.0 if layout.bins and not left else 8.0  # nobody walks through the bring banks
    first = float(rng.uniform(nearest + 1, 34))
    reach = min(most_s * 1.2 - 6, 30.0)
    last = first + float(rng.uniform(0.5, 1.0)) * reach * (1 if rng.random() < 0.5 or first < nearest + 12 else -1)
    last = max(last, nearest)
    if rng.random() < 0.3 and layout.crossing is not None and reach > 12:
        over = layout.crossing + 1.5
        other = street.edge(layout, not left)
        return ((door, over + 4), (lane, over + 4), (lane, over), (other - inside, over), (other, over + 1))
    return ((door, first), (lane, first + 0.6), (lane, last), (door, last + 0.6))


def _walk(path: Path, jacket: Colour, trousers: Colour, size: float) -> Moment:
    def moment(t_s: float) -> list[Actor]:
        found = path.at(t_s)
        return [] if found is None else [Person(found[0], jacket, trousers, found[1] + 0.01, size)]

    return moment


_VAN_STOPS_S, _TRIP_S, _OUT_S = 62.0, 13.0, 66.0
_THINGS: tuple[tuple[tuple[float, float], tuple[float, float, float], Colour], ...] = (
    ((4.9, 12.4), (0.6, 0.6, 0.7), (40, 42, 40)),
    ((5.5, 11.6), (1.9, 0.25, 1.1), (196, 208, 214)),
    ((4.6, 11.3), (0.7, 0.9, 0.75), (90, 120, 160)),
)
_VAN_LEAVES_S = _OUT_S + _TRIP_S * len(_THINGS) + 5
_DUMPING_S = 150.0


def dumping() -> Dumping:
    put_down = [_OUT_S + _TRIP_S * i + 6.0 for i in range(len(_THINGS))]
    return Dumping(_VAN_STOPS_S, put_down[0], put_down[-1], _VAN_LEAVES_S)


def _dumping(layout: Layout) -> Moment:
    """A van stops at the bring banks; its driver carries three things to the pavement, and leaves them there."""
    x = layout.road[1] - 1.15
    stop_y, white = 15.8, (222, 224, 224)
    arrival = Path(((x - 2.0, -6.0), (x - 2.0, 6.0), (x, 11.5), (x, stop_y)), 4.0, _VAN_STOPS_S - 22.3 / 4.0)
    leaving = Path(
        ((x, stop_y), (x, stop_y + 3), (x - 2.2, stop_y + 11), (x - 2.2, street.END_M - 6)), 7.5, _VAN_LEAVES_S
    )
    rear = (x + 0.2, stop_y - 3.5)

    def moment(t_s: float) -> list[Actor]:
        actors: list[Actor] = []
        stopped = arrival.end_s <= t_s < _VAN_LEAVES_S
        if stopped:
            opened = _OUT_S + 1 < t_s < _VAN_LEAVES_S - 3
            actors.append(Vehicle(Pose(x, stop_y, 0.0), VAN, white, rear_open=opened))
            actors += _driver(t_s, (x - 1.25, stop_y + 1.4), rear)
        else:
            found = arrival.at(t_s) or leaving.at(t_s)
            if found:
                actors.append(Vehicle(found[0], VAN, white, found[1]))
        for i, (place, size, colour) in enumerate(_THINGS):
            if t_s >= _OUT_S + _TRIP_S * i + 6.0:
                actors.append(Box(Pose(*place, 0.35 * i), size, colour))
        return actors

    return moment


def _driver(t_s: float, door: tuple[float, float], rear: tuple[float, float]) -> list[Actor]:
    jacket, trousers = (52, 110, 196), (60, 52, 48)
    past = (door[0], rear[1])
    out = Path((door, past, rear), 2.6, _OUT_S - 3)
    back = Path((rear, past, door), 2.6, _VAN_LEAVES_S - 3.5)
    for walk in (out, back):
        found = walk.at(t_s)
        if found:
            return [Person(found[0], jacket, trousers, found[1] + 0.01)]
    trip, within = divmod(t_s - _OUT_S, _TRIP_S)
    if not 0 <= trip < len(_THINGS):
        waiting = out.end_s <= t_s < back.start_s
        return [Person(Pose(*rear, 0.0), jacket, trousers, 0.0)] if waiting else []
    place, _, colour = _THINGS[int(trip)]
    target = (place[0] - 0.5, place[1] - 0.3)
    length = hypot(target[0] - rear[0], target[1] - rear[1])
    there = Path((rear, target), length / 3.5, 2.0)
    home = Path((target, rear), length / 3.0, 7.0)
    if within < 2.0:
        return [Person(Pose(*rear, 0.0), jacket, trousers, 0.0)]
    if found := there.at(within):
        return [Person(found[0], jacket, trousers, found[1] + 0.01, carries=colour)]
    if found := home.at(within):
        return [Person(found[0], jacket, trousers, found[1] + 0.01)]
    bent = within < 7.0
    pose = Pose(*(target if bent else rear), pi / 2 if bent else 0.0)
    return [Person(pose, jacket, trousers, 0.0, size=0.93 if bent else 1.0)]


def _caption(image: Image, number: int) -> tuple[Image, Image]:
    """Commune and camera as a picture of the top rows, and its mask; the strip at the bottom is filled in place."""
    unit = image.shape[1] / 1920
    place = PLACES[number - 1]
    strip = image[round(image.shape[0] * _STRIP_Y) :]
    strip[:] = 16
    _text(strip, "SIMULATION", 24, 40, 30, unit, 255)
    band = np.zeros((round(140 * unit), *image.shape[1:]), np.uint8)
    mask = np.zeros(band.shape[:2], np.uint8)
    for text, y, size in ((f"{place.commune} - {place.name}", 66, 40), (f"CAM {number:02d}", 116, 34)):
        _text(mask, text, 43, y + 3, size, unit, 255)
        _text(mask, text, 40, y, size, unit, 255)
        _text(band, text, 40, y, size, unit, 255)
    return band, mask


def _text(image: Image, text: str, x: int, y: int, size: int, unit: float, level: int) -> None:
    """Write white text; this face has the accents that OpenCV's stroke fonts lack."""
    face = cv2.FontFace("sans")
    where = (round(x * unit), round(y * unit))
    cv2.putText(image, text, where, (level, level, level), face, max(8, round(size * unit)), 600)


def _noisy(image: Image, rng: np.random.Generator) -> Image:
    rows, columns = image.shape[:2]
    noise = cv2.resize(rng.normal(0, 2.2, (rows // 2, columns // 2, 1)).astype(np.float32), (columns, rows))
    noisy: Image = np.clip(image + noise[:, :, None], 0, 255).astype(np.uint8)
    top = round(rows * _STRIP_Y)
    noisy[top:] = image[top:]
    return noisy


def _paint(rng: np.random.Generator) -> Colour:
    return _pick(_PAINTS, rng)


def _pick(colours: Sequence[Colour], rng: np.random.Generator) -> Colour:
    return colours[int(rng.integers(len(colours)))]
