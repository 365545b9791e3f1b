"""Vehicles, persons and things, in metres, painted with light, wheels and shadows."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi, sin
from typing import Protocol

import numpy as np

from csu.simulator.scenery.canvas import SUN, Canvas, Colour, Points, tint

_GLASS: Colour = (70, 58, 48)
_TYRE: Colour = (32, 31, 30)
_HUB: Colour = (150, 150, 150)
_ROUND = [(cos(a), sin(a)) for a in np.linspace(0, 2 * pi, 14, endpoint=False)]


@dataclass(frozen=True, slots=True)
class Pose:
    """A place on the ground in metres and a heading in radians (0 = along y, away from the camera, pi/2 = along x)."""

    x: float
    y: float
    heading: float

    def point(self, along: float, across: float, up: float) -> tuple[float, float, float]:
        """World place of a point given along the heading, to its right, and up."""
        s, c = sin(self.heading), cos(self.heading)
        return (self.x + along * s + across * c, self.y + along * c - across * s, up)


class Actor(Protocol):
    """Something that stands at a pose."""

    @property
    def pose(self) -> Pose: ...
    @property
    def outline(self) -> Points: ...
    def shadow(self, canvas: Canvas) -> None: ...
    def draw(self, canvas: Canvas) -> None: ...


@dataclass(frozen=True, slots=True)
class Shape:
    """A vehicle's silhouette, (along, up) from the rear bottom clockwise over the roof; `glass` are edge numbers."""

    profile: tuple[tuple[float, float], ...]
    glass: tuple[int, ...]
    side_window: tuple[tuple[float, float], ...]
    half_width: float
    wheels: tuple[float, float]
    wheel_radius: float = 0.32


CAR = Shape(
    ((-2.1, 0.3), (-2.1, 0.85), (-1.75, 0.95), (-1.25, 1.42), (0.35, 1.45), (1.05, 0.95), (2.0, 0.8), (2.1, 0.3)),
    (2, 4),
    ((-1.5, 0.95), (-1.1, 1.34), (0.28, 1.36), (0.85, 0.95)),
    0.88,
    (-1.3, 1.35),
)
ESTATE = Shape(
    ((-2.2, 0.3), (-2.2, 0.9), (-1.95, 1.45), (0.4, 1.5), (1.15, 0.98), (2.05, 0.85), (2.15, 0.3)),
    (1, 3),
    ((-1.9, 0.98), (-1.75, 1.38), (0.33, 1.42), (0.95, 0.98)),
    0.9,
    (-1.35, 1.35),
)
VAN = Shape(
    ((-2.7, 0.35), (-2.7, 2.3), (1.2, 2.35), (1.95, 1.3), (2.65, 1.1), (2.7, 0.35)),
    (2,),
    ((0.75, 1.35), (0.75, 2.0), (1.25, 2.0), (1.7, 1.35)),
    0.98,
    (-1.7, 1.75),
    0.36,
)


@dataclass(frozen=True, slots=True)
class Vehicle:
    pose: Pose
    shape: Shape
    colour: Colour
    rolled_m: float = 0.0
    rear_open: bool = False

    @property
    def outline(self) -> Points:
        along = [a for a, _ in self.shape.profile]
        top = max(z for _, z in self.shape.profile)
        half = self.shape.half_width
        ends = (min(along), max(along))
        return np.array([self.pose.point(a, s, z) for a in ends for s in (-half, half) for z in (0.0, top)])

    def shadow(self, canvas: Canvas) -> None:
        canvas.shade(_cast(self.outline), 0.45)

    def draw(self, canvas: Canvas) -> None:
        shape, half = self.shape, self.shape.half_width
        profile = shape.profile
        faces: list[tuple[float, Points, Colour]] = []
        for i in range(len(profile) - 1):
            (a, z), (b, y) = profile[i], profile[i + 1]
            face = np.array([self.pose.point(*p) for p in ((a, half, z), (b, half, y), (b, -half, y), (a, -half, z))])
            if canvas.faces(face):
                light = 0.72 + 0.4 * abs(b - a) / (abs(b - a) + abs(y - z) + 1e-9)
                colour = _GLASS if i in shape.glass else tint(self.colour, light)
                faces.append((canvas.depth(face.mean(axis=0).tolist()), face, colour))
        for side in (-1, 1):
            self._side(canvas, side, faces)
        for _, face, colour in sorted(faces, key=lambda f: -f[0]):
            canvas.fill(face, colour)
        self._details(canvas)

    def _side(self, canvas: Canvas, side: int, faces: list[tuple[float, Points, Colour]]) -> None:
        across = side * self.shape.half_width
        outline = self._at(self.shape.profile, across)
        if side > 0:
            outline = outline[::-1]
        if not canvas.faces(outline):
            return
        depth = canvas.depth(outline.mean(axis=0).tolist())
        faces.append((depth, outline, tint(self.colour, 0.92 if side > 0 else 0.78)))
        faces.append((depth - 0.001, self._at(self.shape.side_window, across * 1.005), _GLASS))
        for i, along in enumerate(self.shape.wheels):
            radius = self.shape.wheel_radius
            rim = [(along + radius * a, radius + radius * z) for a, z in _ROUND]
            faces.append((depth - 0.002 - i / 1e4, self._at(rim, across * 1.01), _TYRE))
            hub = [(along + radius * 0.55 * a, radius + radius * 0.55 * z) for a, z in _ROUND]
            faces.append((depth - 0.003 - i / 1e4, self._at(hub, across * 1.02), _HUB))
            turn = self.rolled_m / radius
            spoke = [
                (along + radius * 0.5 * sin(turn + d), radius + radius * 0.5 * cos(turn + d))
                for d in (0.2, -0.2, pi + 0.2, pi - 0.2)
            ]
            faces.append((depth - 0.004 - i / 1e4, self._at(spoke, across * 1.03), _TYRE))

    def _details(self, canvas: Canvas) -> None:
        """Lamps and plate at the end that is seen; the open rear of a van."""
        profile, half = self.shape.profile, self.shape.half_width
        rear, front = profile[0][0] - 0.01, profile[-1][0] + 0.01
        for along, lamp in ((rear, (40, 40, 190)), (front, (225, 240, 245))):
            face = np.array([self.pose.point(along, s, z) for s, z in ((1, 0), (-1, 0), (-1, 1), (1, 1))])
            if along < 0:
                face = face[::-1]
            if not canvas.faces(face):
                continue
            for side in (-1, 1):
                corners = (
                    (side * half * 0.65, 0.62),
                    (side * half * 0.95, 0.62),
                    (side * half * 0.95, 0.8),
                    (side * half * 0.65, 0.8),
                )
                canvas.fill(np.array([self.pose.point(along, s, z) for s, z in corners]), lamp)
            plate = ((-0.25, 0.42), (0.25, 0.42), (0.25, 0.54), (-0.25, 0.54))
            canvas.fill(np.array([self.pose.point(along, s, z) for s, z in plate]), (225, 228, 228))
            if along < 0 and self.rear_open:
                inside = ((-half * 0.88, 0.6), (half * 0.88, 0.6), (half * 0.88, 2.15), (-half * 0.88, 2.15))
                canvas.fill(np.array([self.pose.point(along, s, z) for s, z in inside]), (38, 36, 34))
                for side in (-1, 1):
                    door = ((rear, 0.5), (rear - 0.75, 0.5), (rear - 0.75, 2.2), (rear, 2.2))
                    canvas.fill(self._at(door, side * half), tint(self.colour, 0.85))

    def _at(self, points: Sequence[tuple[float, float]], across: float) -> Points:
        return np.array([self.pose.point(along, across, z) for along, z in points])


@dataclass(frozen=True, slots=True)
class Person:
    """Someone on foot; `walked_m` moves the legs. `carries` is the colour of something held in front."""

    pose: Pose
    jacket: Colour
    trousers: Colour
    walked_m: float
    size: float = 1.0
    carries: Colour | None = None

    @property
    def outline(self) -> Points:
        return np.array(
            [self.pose.point(a, s, z) for a in (-0.5, 0.5) for s in (-0.35, 0.35) for z in (0.0, 1.85 * self.size)]
        )

    def shadow(self, canvas: Canvas) -> None:
        feet = [self.pose.point(a, s, 0.0) for a in (-0.12, 0.12) for s in (-0.16, 0.16)]
        far = [(x + SUN[0] * 1.7, y + SUN[1] * 1.7, 0.0) for x, y, _ in feet]
        canvas.shade(np.array(feet + far), 0.42)

    def draw(self, canvas: Canvas) -> None:
        k = self.size
        phase = self.walked_m * 2 * pi / (1.45 * k)
        bob = 0.02 * k * cos(2 * phase)
        swing = 0.34 if self.walked_m else 0.0
        sides = sorted((-1, 1), key=lambda s: -canvas.depth(self.pose.point(0, s * 0.2, 1.0)))
        for side in sides:
            self._leg(canvas, side, swing * sin(phase + (pi if side > 0 else 0)), bob)
        self._arm(canvas, sides[0], -swing * sin(phase + (pi if sides[0] > 0 else 0)), bob)
        self._torso(canvas, bob)
        if self.carries is not None:
            self._load(canvas, self.carries)
        self._arm(canvas, sides[1], -swing * sin(phase + (pi if sides[1] > 0 else 0)), bob)
        head = self.pose.point(0.03, 0, 1.62 * k + bob)
        canvas.ball(head, 0.125 * k, (128, 160, 205))
        canvas.ball(self.pose.point(-0.02, 0, 1.67 * k + bob), 0.115 * k, tint(self.trousers, 0.6))

    def _leg(self, canvas: Canvas, side: int, swing: float, bob: float) -> None:
        k = self.size
        hip = self.pose.point(0, side * 0.09 * k, 0.88 * k + bob)
        lift = max(0.0, swing) * 0.22
        foot_along = swing * 1.05 * k
        knee = self.pose.point(foot_along * 0.5 + 0.07 * k + lift * 0.3, side * 0.09 * k, 0.47 * k + lift * 0.4)
        foot = self.pose.point(foot_along, side * 0.09 * k, 0.06 + lift * 0.35)
        toe = self.pose.point(foot_along + 0.2 * k, side * 0.1 * k, 0.04 + lift * 0.3)
        canvas.line(hip, knee, 0.17 * k, self.trousers)
        canvas.line(knee, foot, 0.13 * k, tint(self.trousers, 0.92))
        canvas.line(foot, toe, 0.09 * k, (34, 32, 32))

    def _arm(self, canvas: Canvas, side: int, swing: float, bob: float) -> None:
        k = self.size
        if self.carries is not None:
            swing = 0.75
        shoulder = self.pose.point(0, side * 0.21 * k, 1.4 * k + bob)
        elbow = self.pose.point(swing * 0.3 * k, side * 0.25 * k, 1.14 * k + bob)
        hand = self.pose.point(swing * 0.72 * k + 0.04, side * 0.24 * k, 0.9 * k + bob + abs(swing) * 0.08)
        canvas.line(shoulder, elbow, 0.12 * k, tint(self.jacket, 0.85))
        canvas.line(elbow, hand, 0.1 * k, tint(self.jacket, 0.9))
        canvas.ball(hand, 0.055 * k, (128, 160, 205))

    def _torso(self, canvas: Canvas, bob: float) -> None:
        k = self.size
        # A billboard: shoulders and hips as wide as they look from here, at least as deep as a body is.
        right = canvas.right_of(self.pose.point(0, 0, 1.1))
        seen = max(abs(float(np.dot(right[:2], (cos(self.pose.heading), -sin(self.pose.heading))))), 0.6)
        shoulder, hip = 0.25 * k * seen, 0.18 * k * seen
        middle = np.array(self.pose.point(0, 0, 0))
        heights = ((hip, 0.82), (hip * 0.95, 1.05), (shoulder, 1.36), (shoulder * 0.7, 1.47))
        rising = [middle + right * w + (0, 0, z * k + bob) for w, z in heights]
        falling = [middle - right * w + (0, 0, z * k + bob) for w, z in reversed(heights)]
        canvas.fill(np.array(rising + falling), self.jacket)
        canvas.fill(
            np.array(
                [
                    *rising[:3],
                    middle + right * hip * 0.3 + (0, 0, 1.36 * k + bob),
                    middle + right * hip * 0.3 + (0, 0, 0.82 * k + bob),
                ]
            ),
            tint(self.jacket, 0.86),
        )

    def _load(self, canvas: Canvas, colour: Colour) -> None:
        box = Box(Pose(*self.pose.point(0.42, 0, 0)[:2], self.pose.heading), (0.3, 0.55, 0.5), colour, base_m=0.8)
        box.draw(canvas)


@dataclass(frozen=True, slots=True)
class Box:
    """A thing with flat sides: size is along, across, up in metres."""

    pose: Pose
    size: tuple[float, float, float]
    colour: Colour
    base_m: float = 0.0

    @property
    def outline(self) -> Points:
        along, across, up = self.size
        return np.array(
            [
                self.pose.point(a * along / 2, s * across / 2, self.base_m + z * up)
                for a in (-1, 1)
                for s in (-1, 1)
                for z in (0, 1)
            ]
        )

    def shadow(self, canvas: Canvas) -> None:
        canvas.shade(_cast(self.outline), 0.4)

    def draw(self, canvas: Canvas) -> None:
        corners = self.outline
        for face, light in (
            ((0, 2, 3, 1), 0.8),
            ((6, 4, 5, 7), 0.85),
            ((4, 0, 1, 5), 0.7),
            ((2, 6, 7, 3), 0.95),
            ((1, 3, 7, 5), 1.12),
        ):
            points = corners[list(face)]
            if canvas.faces(points) or (canvas.faces(points[::-1]) and light == 1.12):
                canvas.fill(points, tint(self.colour, light))


@dataclass(frozen=True, slots=True)
class Tree:
    pose: Pose
    height_m: float
    seed: int

    @property
    def outline(self) -> Points:
        return np.array([self.pose.point(0, s, z) for s in (-2.6, 2.6) for z in (0.0, self.height_m + 2.2)])

    def shadow(self, canvas: Canvas) -> None:
        x, y = self.pose.x + SUN[0] * self.height_m, self.pose.y + SUN[1] * self.height_m
        canvas.shade(np.array([(x + 2.2 * a, y + 1.8 * b, 0.0) for a, b in _ROUND]), 0.3)

    def draw(self, canvas: Canvas) -> None:
        x, y, height = self.pose.x, self.pose.y, self.height_m
        rng = np.random.default_rng(self.seed)
        canvas.line((x, y, 0), (x, y, height - 1), 0.3, (58, 76, 92))
        for i in range(60):
            level = i / 60
            spread = 1.8 * (1 - 0.55 * level)
            centre = (x + rng.uniform(-spread, spread), y + rng.uniform(-0.8, 0.8), height - 1.6 + 3.4 * level)
            light = 0.66 + 0.5 * level + rng.uniform(-0.12, 0.12)
            canvas.ball(centre, rng.uniform(0.4, 0.85), tint((62, 122, 92), light))


def _cast(outline: Points) -> Points:
    """Corners of something and where their shadows fall; the shadow is their hull on the ground."""
    return np.array([(x + SUN[0] * z, y + SUN[1] * z, 0.0) for x, y, z in outline])
