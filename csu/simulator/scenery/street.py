"""What stands still: sky, ground, houses, trees and street furniture, painted once per scene from its layout."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import cv2
import numpy as np

from csu.simulator.barcode import Image
from csu.simulator.scenery.canvas import SUN, Canvas, Colour, View, quad, tint

Side = Literal["houses", "river", "park", "wall"]
END_M = 118.0  # where a terrace of houses closes the street
_RENDER: tuple[Colour, ...] = (
    (196, 214, 226),
    (170, 196, 214),
    (205, 212, 214),
    (150, 178, 205),
    (182, 200, 222),
    (120, 138, 178),
    (214, 220, 222),
    (160, 186, 190),
)
_ROOF: tuple[Colour, ...] = ((88, 80, 76), (74, 70, 72), (60, 76, 128), (70, 90, 148), (96, 92, 90))
_SHUTTER: tuple[Colour, ...] = ((120, 84, 50), (70, 96, 64), (60, 60, 130), (128, 128, 122), (96, 64, 40))
_TIMBER: Colour = (48, 62, 84)
_GRASS: Colour = (72, 128, 108)
_FLAT = 0.012


@dataclass(frozen=True, slots=True)
class Layout:
    """A street in metres: `road` is a range of x; `crossing` and `side_street` are where they begin along y."""

    view: View
    road: tuple[float, float]
    pavement_m: float
    left: Side
    right: Side
    seed: int
    crossing: float | None = None
    side_street: float | None = None
    trees: tuple[Literal["left", "right"], ...] = ()
    sky: tuple[Colour, Colour] = ((236, 206, 168), (238, 230, 218))
    light: float = 1.0
    paved: bool = False
    landmark: Literal["church", "castle"] | None = None
    bins: bool = False


def paint(canvas: Canvas, layout: Layout) -> None:
    """Paint the whole still picture."""
    rng = np.random.default_rng(layout.seed)
    _sky(canvas.image, layout, rng)
    _ground(canvas, layout)
    _far_end(canvas, layout, rng)
    for side in ("left", "right"):
        _side(canvas, layout, side == "left", rng)
    _markings(canvas, layout)
    _house_shadow(canvas, layout)
    _lamps(canvas, layout)
    if layout.bins:
        _collection_point(canvas, layout)
    _light(canvas.image, layout.light, rng)


def edge(layout: Layout, left: bool) -> float:
    """x of the line where the pavement ends and the houses begin."""
    return layout.road[0] - layout.pavement_m if left else layout.road[1] + layout.pavement_m


def _sky(image: Image, layout: Layout, rng: np.random.Generator) -> None:
    rows, columns = image.shape[:2]
    top, bottom = (np.array(c) for c in layout.sky)
    mix = np.linspace(0, 1, rows)[:, None] ** 0.6
    image[:] = (top * (1 - mix) + bottom * mix)[:, None, :].astype(np.uint8)
    clouds = np.zeros((rows // 8, columns // 8), np.float32)
    for _ in range(26):
        x, y = rng.integers(0, columns // 8), rng.integers(0, rows // 24)
        cv2.ellipse(clouds, (int(x), int(y)), (int(rng.integers(8, 34)), int(rng.integers(2, 6))), 0, 0, 360, 0.5, -1)
    soft = cv2.resize(cv2.GaussianBlur(clouds, (0, 0), 4), (columns, rows))[:, :, None]
    image[:] = (image * (1 - soft) + 246 * soft).astype(np.uint8)


def _ground(canvas: Canvas, layout: Layout) -> None:
    wide, far = 260.0, 400.0
    base = (
        _GRASS if "park" in (layout.left, layout.right) or "river" in (layout.left, layout.right) else (140, 148, 150)
    )
    canvas.fill(quad((-wide, 0, 0), (wide, 0, 0), (wide, far, 0), (-wide, far, 0)), base)
    for left in (True, False):
        if (layout.left if left else layout.right) == "river":
            x, out = edge(layout, left), -wide if left else wide
            canvas.fill(quad((x, 0, 0), (out, 0, 0), (out, far, 0), (x, far, 0)), (150, 138, 108))
            for i in range(60):
                y, reach = 6 + i * i * 0.06, 3 + i * 0.5
                shift = (i * 37 % 23) * (1 if not left else -1)
                canvas.fill(
                    quad(
                        (x + shift, y, 0),
                        (x + shift + reach, y, 0),
                        (x + shift + reach, y + 0.15, 0),
                        (x + shift, y + 0.15, 0),
                    ),
                    (176, 164, 138),
                )
    surface = (150, 166, 176) if layout.paved else (96, 96, 98)
    first, last = edge(layout, True), edge(layout, False)
    canvas.fill(quad((first, 0, 0), (last, 0, 0), (last, END_M, 0), (first, END_M, 0)), (168, 174, 178))
    canvas.fill(
        quad((layout.road[0], 0, 0), (layout.road[1], 0, 0), (layout.road[1], END_M, 0), (layout.road[0], END_M, 0)),
        surface,
    )
    if layout.side_street is not None:
        y = layout.side_street
        canvas.fill(
            quad((layout.road[1] - 0.1, y, 0), (wide, y, 0), (wide, y + 7, 0), (layout.road[1] - 0.1, y + 7, 0)),
            surface,
        )
    if layout.paved:
        for y in np.arange(5.0, 60.0, 1.2):
            canvas.line((layout.road[0], y, 0), (layout.road[1], y, 0), 0.03, tint(surface, 0.9))
    for x in layout.road:
        canvas.fill(
            quad((x - 0.08, 0, 0), (x + 0.08, 0, 0), (x + 0.08, END_M, 0), (x - 0.08, END_M, 0)), (196, 198, 198)
        )
    for x in (first, last):
        for y in np.arange(4.0, 60.0, 1.5):
            inner = layout.road[0] if x == first else layout.road[1]
            canvas.line((x, y, 0), (inner, y, 0), 0.02, (150, 156, 160))


def _markings(canvas: Canvas, layout: Layout) -> None:
    white = (214, 216, 216)
    middle = sum(layout.road) / 2
    if not layout.paved:
        for y in np.arange(5.0, 105.0, 4.5):
            if layout.crossing is None or not layout.crossing - 3 < y < layout.crossing + 4:
                canvas.fill(
                    quad(
                        (middle - 0.07, y, 0),
                        (middle + 0.07, y, 0),
                        (middle + 0.07, y + 1.5, 0),
                        (middle - 0.07, y + 1.5, 0),
                    ),
                    white,
                )
    if layout.crossing is not None:
        y = layout.crossing
        for x in np.arange(layout.road[0] + 0.4, layout.road[1] - 0.5, 1.0):
            canvas.fill(quad((x, y, 0), (x + 0.5, y, 0), (x + 0.5, y + 3, 0), (x, y + 3, 0)), white)


def _far_end(canvas: Canvas, layout: Layout, rng: np.random.Generator) -> None:
    for _ in range(90):
        x = rng.uniform(-170, 170)
        canvas.ball((x, END_M + 60, rng.uniform(0, 7)), rng.uniform(3, 7), tint((76, 112, 92), rng.uniform(0.8, 1.15)))
    if layout.landmark == "castle":
        _castle(canvas, layout)
    x = -60.0
    while x < 60:
        width = float(rng.uniform(7, 11))
        if "river" not in (layout.left if x < 0 else layout.right):
            _front_house(canvas, x, width, float(rng.uniform(5.5, 8.5)), rng)
        x += width
    if layout.landmark == "church":
        _church(canvas, layout)


def _front_house(canvas: Canvas, x: float, width: float, height: float, rng: np.random.Generator) -> None:
    """A house at the street's end, seen from its front."""
    y, wall, roof = END_M, _pick(_RENDER, rng), _pick(_ROOF, rng)
    canvas.fill(quad((x, y, 0), (x + width, y, 0), (x + width, y, height), (x, y, height)), tint(wall, 0.95))
    canvas.fill(
        quad((x, y, height), (x + width, y, height), (x + width, y + 4, height + 3.4), (x, y + 4, height + 3.4)), roof
    )
    for z in np.arange(1.0, height - 1.5, 2.7):
        for a in np.arange(x + 1, x + width - 1.2, 2.3):
            canvas.fill(quad((a, y, z), (a + 1, y, z), (a + 1, y, z + 1.5), (a, y, z + 1.5)), (92, 80, 70))


def _side(canvas: Canvas, layout: Layout, left: bool, rng: np.random.Generator) -> None:
    kind = layout.left if left else layout.right
    x = edge(layout, left)
    if kind == "houses":
        _terrace(canvas, layout, x, left, rng)
    elif kind == "wall":
        _wall(canvas, x, left)
    elif kind == "river":
        for y in np.arange(4.0, END_M, 2.5):
            canvas.line((x, y, 0), (x, y, 1.0), 0.06, (70, 70, 66))
        for z in (0.55, 1.0):
            canvas.line((x, 4, z), (x, END_M, z), 0.06, (70, 70, 66))
        _far_bank(canvas, left, rng)
    else:
        _hedge(canvas, x, left, rng)


def _terrace(canvas: Canvas, layout: Layout, x: float, left: bool, rng: np.random.Generator) -> None:
    """A row of houses along the street, the farthest painted first."""
    houses: list[tuple[float, float]] = []
    y = float(rng.uniform(3, 9))
    while y < END_M - 2:
        length = float(rng.uniform(7, 12))
        if (
            not left
            and layout.side_street is not None
            and y < layout.side_street + 7
            and y + length > layout.side_street
        ):
            length = layout.side_street - y
            if length > 4:
                houses.append((y, length))
            y = layout.side_street + 7
            continue
        houses.append((y, length))
        y += length
    for start, length in reversed(houses):
        _house(canvas, x, start, length, left, rng)


def _house(canvas: Canvas, x: float, y: float, length: float, left: bool, rng: np.random.Generator) -> None:
    out = -1.0 if left else 1.0
    floors = int(rng.integers(2, 4))
    height, deep = floors * 2.75 + 0.4, 9.0 * out
    wall, roof = _pick(_RENDER, rng), _pick(_ROOF, rng)
    sun = 0.78 if left else 1.03  # the sun stands to the left
    ridge = (x + deep / 2, height + 3.2)
    end = y + length
    gable = quad((x, y, 0), (x + deep, y, 0), (x + deep, y, height), (ridge[0], y, ridge[1]), (x, y, height))
    canvas.fill(gable, tint(wall, 0.88))
    canvas.fill(
        quad(
            (x - 0.3 * out, y, height - 0.2),
            (x - 0.3 * out, end, height - 0.2),
            (ridge[0], end, ridge[1]),
            (ridge[0], y, ridge[1]),
        ),
        tint(roof, sun + 0.1),
    )
    canvas.fill(quad((x, y, 0), (x, end, 0), (x, end, height), (x, y, height)), tint(wall, sun))
    canvas.fill(quad((x, y, 0), (x, end, 0), (x, end, 0.6), (x, y, 0.6)), tint(wall, sun * 0.72))
    timbered = rng.random() < 0.3
    if timbered:
        _timber(canvas, x, y, end, height, tint(_TIMBER, sun))
    _openings(canvas, x - _FLAT * out, y, length, floors, sun, rng)
    chimney = y + length * 0.3
    canvas.fill(
        quad(
            (ridge[0], chimney, ridge[1] - 0.4),
            (ridge[0], chimney + 0.9, ridge[1] - 0.4),
            (ridge[0], chimney + 0.9, ridge[1] + 1),
            (ridge[0], chimney, ridge[1] + 1),
        ),
        (92, 108, 150),
    )


def _openings(
    canvas: Canvas, x: float, y: float, length: float, floors: int, sun: float, rng: np.random.Generator
) -> None:
    shutter, glass = tint(_pick(_SHUTTER, rng), sun), tint((112, 98, 84), sun)
    frame = tint((228, 230, 230), sun)

    def panel(start: float, low: float, size: float, up: float, colour: Colour) -> None:
        canvas.fill(
            quad((x, start, low), (x, start + size, low), (x, start + size, low + up), (x, start, low + up)), colour
        )

    count = max(2, int(length / 2.6))
    gap = length / count
    door = int(rng.integers(0, count))
    for floor in range(floors):
        for i in range(count):
            start, low = y + i * gap + gap / 2 - 0.5, 0.95 + floor * 2.75
            if floor == 0 and i == door:
                panel(start - 0.08, 0, 1.16, 2.3, frame)
                panel(start, 0, 1.0, 2.15, shutter)
                continue
            panel(start - 0.1, low - 0.08, 1.2, 1.6, frame)
            panel(start, low, 1.0, 1.45, glass)
            panel(start + 0.47, low, 0.06, 1.45, frame)
            panel(start - 0.55, low, 0.45, 1.45, shutter)
            panel(start + 1.1, low, 0.45, 1.45, shutter)


def _timber(canvas: Canvas, x: float, y: float, end: float, height: float, colour: Colour) -> None:
    for z in (2.7, height - 0.25):
        canvas.fill(quad((x, y, z), (x, end, z), (x, end, z + 0.2), (x, y, z + 0.2)), colour)
    posts = np.linspace(y, end - 0.15, max(2, round((end - y) / 1.1)))
    for at in posts:
        canvas.fill(quad((x, at, 2.8), (x, at + 0.15, 2.8), (x, at + 0.15, height), (x, at, height)), colour)
    for i, (a, b) in enumerate(pairwise(posts)):
        if i % 3 == 1:
            canvas.fill(quad((x, a, 2.8), (x, a + 0.14, 2.8), (x, b + 0.14, height), (x, b, height)), colour)


def _wall(canvas: Canvas, x: float, left: bool) -> None:
    sun = 0.8 if left else 1.0
    out = -260.0 if left else 260.0
    canvas.fill(quad((x, 2, 2.2), (x, END_M, 2.2), (out, END_M, 2.2), (out, 2, 2.2)), (88, 138, 112))
    canvas.fill(quad((x, 2, 0), (x, END_M, 0), (x, END_M, 2.2), (x, 2, 2.2)), tint((150, 170, 184), sun))
    for z in np.arange(0.3, 2.2, 0.3):
        canvas.line((x, 2, z), (x, END_M, z), 0.03, tint((120, 140, 156), sun))
    canvas.line((x, 2, 2.25), (x, END_M, 2.25), 0.16, tint((96, 100, 112), sun))


def _hedge(canvas: Canvas, x: float, left: bool, rng: np.random.Generator) -> None:
    out = -1.0 if left else 1.0
    for y in np.arange(END_M, 5.0, -0.8):
        for _ in range(2):
            centre = (x + out * rng.uniform(0.5, 1.1), y, rng.uniform(0.3, 0.9))
            canvas.ball(centre, rng.uniform(0.35, 0.6), tint((58, 104, 74), rng.uniform(0.75, 1.2)))


def _far_bank(canvas: Canvas, left: bool, rng: np.random.Generator) -> None:
    out = -1.0 if left else 1.0
    for i in range(150):
        x = out * (60 + i * 1.2)
        canvas.ball(
            (x, 130 - i * 0.3, rng.uniform(0, 5)), rng.uniform(2, 5), tint((74, 116, 94), rng.uniform(0.8, 1.2))
        )


def _lamps(canvas: Canvas, layout: Layout) -> None:
    x = edge(layout, False) - 0.25
    for y in np.arange(98.0, 15.0, -22.0):
        canvas.shade(
            np.array(
                [
                    (x, y, 0),
                    (x + 0.15, y, 0),
                    (x + SUN[0] * 6, y + SUN[1] * 6, 0),
                    (x + SUN[0] * 6 + 0.15, y + SUN[1] * 6, 0),
                ]
            ),
            0.3,
        )
        canvas.line((x, y, 0), (x, y, 6), 0.12, (66, 66, 62))
        canvas.line((x, y, 6), (x - 1.6, y, 6.2), 0.09, (66, 66, 62))
        canvas.line((x - 1.1, y, 6.15), (x - 1.8, y, 6.2), 0.2, (196, 204, 206))


def _collection_point(canvas: Canvas, layout: Layout) -> None:
    """Bring banks for glass, paper and packaging on the right pavement."""
    from csu.simulator.scenery.actors import Box, Pose

    x = edge(layout, False) - 0.9
    for i, colour in enumerate(((92, 150, 60), (170, 110, 50), (50, 190, 215))):
        y = 19.0 - 2.1 * i
        bank = Box(Pose(x, y, 0), (1.6, 1.3, 1.7), colour)
        bank.shadow(canvas)
        bank.draw(canvas)
        cap = Box(Pose(x, y, 0), (1.1, 0.9, 0.35), tint(colour, 0.8), base_m=1.7)
        cap.draw(canvas)
        hole = x - 0.66
        canvas.fill(
            quad((hole, y - 0.3, 1.15), (hole, y + 0.3, 1.15), (hole, y + 0.3, 1.5), (hole, y - 0.3, 1.5)), (30, 30, 30)
        )


def _church(canvas: Canvas, layout: Layout) -> None:
    x, y = sum(layout.road) / 2 + 3, END_M + 6
    canvas.fill(quad((x - 3, y, 0), (x + 3, y, 0), (x + 3, y, 22), (x - 3, y, 22)), (178, 192, 202))
    canvas.fill(quad((x - 3.4, y, 22), (x + 3.4, y, 22), (x, y, 40)), (96, 90, 88))
    canvas.fill(quad((x - 0.8, y, 14), (x + 0.8, y, 14), (x + 0.8, y, 18), (x - 0.8, y, 18)), (84, 80, 78))
    canvas.fill(quad((x + 3, y, 0), (x + 22, y, 0), (x + 22, y, 12), (x + 3, y, 12)), (168, 184, 196))
    canvas.fill(quad((x + 3, y, 12), (x + 22, y, 12), (x + 20, y, 19), (x + 3, y, 19)), (92, 86, 84))


def _castle(canvas: Canvas, layout: Layout) -> None:
    """A ruined keep on a chalk cliff above the river."""
    x, y = -48.0 if layout.left == "river" else 48.0, END_M + 70
    cliff = [(x - 60, y, 0), (x + 60, y, 0), (x + 45, y, 14), (x + 18, y, 25), (x - 14, y, 27), (x - 40, y, 15)]
    canvas.fill(quad(*cliff), (150, 190, 176))
    canvas.fill(quad((x - 20, y, 8), (x + 22, y, 6), (x + 16, y, 24), (x - 12, y, 26)), (206, 218, 222))
    for a, width, top in ((-10, 7, 40), (-2, 5, 35), (6, 4, 33), (12, 3, 30)):
        canvas.fill(
            quad(
                (x + a, y, 24),
                (x + a + width, y, 24),
                (x + a + width, y, top - 1),
                (x + a + width / 2, y, top),
                (x + a, y, top - 2),
            ),
            (168, 186, 194),
        )


def _house_shadow(canvas: Canvas, layout: Layout) -> None:
    if layout.left == "houses":
        x = edge(layout, True)
        reach = min(4.2, layout.pavement_m + 1.6)
        canvas.shade(quad((x, 4, 0), (x + reach, 4, 0), (x + reach, END_M, 0), (x, END_M, 0)), 0.34)


def _light(image: Image, light: float, rng: np.random.Generator) -> None:
    """The hour of the day, and the grain of walls and ground."""
    rows, columns = image.shape[:2]
    fine = rng.normal(0, 1, (rows // 2, columns // 2)).astype(np.float32)
    grain = cv2.resize(cv2.GaussianBlur(fine, (0, 0), 0.8), (columns, rows)) * 7
    image[:] = np.clip(image * light + grain[:, :, None], 0, 255).astype(np.uint8)


def _pick(colours: tuple[Colour, ...], rng: np.random.Generator) -> Colour:
    return colours[int(rng.integers(len(colours)))]
