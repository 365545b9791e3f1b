"""A picture with a camera in front of it: paints things given in metres.

World: x to the right of the street, y along it away from the camera, z up, in metres; the camera hangs at (0, 0,
height). Colours are BGR 0..255. Pictures are uint8 [height, width, 3].
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, radians, sin
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from csu.simulator.barcode import Image

Colour = tuple[float, float, float]
Points = NDArray[np.float64]  # [n, 3] metres
Pixels = NDArray[np.float64]  # [n, 2]

_SHIFT = 4  # polygons are placed to 1/16 pixel, so that slow things glide
_NEAR_M = 0.5
SUN = (0.75, -0.35)  # shadow of a metre of height, in metres along x and y


@dataclass(frozen=True, slots=True)
class View:
    """Where a camera looks: pitch below the horizon and yaw to the right in degrees; focal length in widths."""

    height_m: float
    pitch: float
    yaw: float
    focal: float


class Canvas:
    def __init__(self, image: Image, view: View) -> None:
        self.image = image
        rows, columns = image.shape[:2]
        self.unit = columns / 1920
        self._centre = np.array((columns / 2, rows / 2))
        self._focal = view.focal * columns
        pitch, yaw = radians(view.pitch), radians(view.yaw)
        forward = np.array((sin(yaw) * cos(pitch), cos(yaw) * cos(pitch), -sin(pitch)))
        right = np.array((cos(yaw), -sin(yaw), 0.0))
        self._axes = np.stack((right, -np.cross(right, forward), forward), axis=1)
        self._eye = np.array((0.0, 0.0, view.height_m))

    def on(self, image: Image) -> "Canvas":
        """The same camera in front of another picture of the same size."""
        other = object.__new__(Canvas)
        other.__dict__.update(self.__dict__, image=image)
        return other

    def project(self, points: Points) -> tuple[Pixels, NDArray[np.float64]]:
        """Pixels and depths (metres along the view); points behind the camera are put just before it."""
        seen = (points - self._eye) @ self._axes
        depth = np.maximum(seen[:, 2], _NEAR_M)
        return seen[:, :2] / depth[:, None] * self._focal + self._centre, depth

    def depth(self, point: Sequence[float]) -> float:
        return float((np.asarray(point, dtype=float) - self._eye) @ self._axes[:, 2])

    def right_of(self, point: Sequence[float]) -> NDArray[np.float64]:
        """The direction, level, that points right as seen from the camera towards a point."""
        ahead = np.asarray(point, dtype=float)[:2] - self._eye[:2]
        x, y = ahead / (float(np.hypot(*ahead)) or 1.0)
        return np.array((y, -x, 0.0))

    def faces(self, face: Points) -> bool:
        """Whether the camera sees the side of a face from which its corners turn counter-clockwise."""
        normal = np.cross(face[1] - face[0], face[2] - face[1])
        return bool(normal @ (self._eye - face[0]) > 0)

    def fill(self, points: Points, colour: Colour) -> None:
        """Fill a polygon in space; what is behind the camera is cut off."""
        clipped = self._clip(points)
        if len(clipped) >= 3:
            self.fill_pixels(self.project(clipped)[0], colour)

    def fill_pixels(self, pixels: Pixels, colour: Colour) -> None:
        cv2.fillPoly(self.image, [_fixed(pixels)], colour, cv2.LINE_AA, _SHIFT)

    def line(self, start: Sequence[float], end: Sequence[float], width_m: float, colour: Colour) -> None:
        points = np.array((start, end), dtype=float)
        pixels, depth = self.project(points)
        width = max(1, round(width_m * self._focal / float(depth.mean())))
        first, second = _fixed(pixels)
        cv2.line(self.image, tuple(map(int, first)), tuple(map(int, second)), colour, width, cv2.LINE_AA, _SHIFT)

    def ball(self, centre: Sequence[float], radius_m: float, colour: Colour) -> None:
        pixels, depth = self.project(np.array((centre,), dtype=float))
        radius = round(radius_m * self._focal / float(depth[0]) * (1 << _SHIFT))
        place = _fixed(pixels)[0]
        cv2.circle(self.image, tuple(map(int, place)), max(radius, 1), colour, -1, cv2.LINE_AA, _SHIFT)

    def shade(self, points: Points, strength: float) -> None:
        """Darken a polygon in space by a share of its light."""
        pixels = self.project(self._clip(points))[0]
        if len(pixels) < 3:
            return
        hull = cv2.convexHull(pixels.astype(np.float32))[:, 0]
        rows, columns = self.image.shape[:2]
        left, top = np.clip(np.floor(hull.min(axis=0)).astype(int), 0, (columns, rows))
        right, bottom = np.clip(np.ceil(hull.max(axis=0)).astype(int) + 1, 0, (columns, rows))
        if left >= right or top >= bottom:
            return
        part = self.image[top:bottom, left:right]
        mask = np.zeros(part.shape[:2], np.uint8)
        cv2.fillConvexPoly(mask, _fixed(hull - (left, top)), 255, cv2.LINE_AA, _SHIFT)
        dark = cv2.convertScaleAbs(part, alpha=1 - strength)
        cv2.copyTo(dark, mask, part)

    def _clip(self, points: Points) -> Points:
        """Cut a polygon at the plane just before the camera (Sutherland and Hodgman, one plane)."""
        ahead = (points - self._eye) @ self._axes[:, 2] - _NEAR_M
        if (ahead >= 0).all():
            return points
        kept: list[Points] = []
        for i in range(len(points)):
            j = (i + 1) % len(points)
            if ahead[i] >= 0:
                kept.append(points[i])
            if (ahead[i] >= 0) != (ahead[j] >= 0):
                kept.append(points[i] + (points[j] - points[i]) * (ahead[i] / (ahead[i] - ahead[j])))
        return np.array(kept).reshape(-1, 3)


def tint(colour: Colour, light: float) -> Colour:
    """The colour under more or less light."""
    blue, green, red = (min(255.0, c * light) for c in colour)
    return (blue, green, red)


def quad(*corners: Sequence[float]) -> Points:
    return np.array(corners, dtype=float)


def _fixed(pixels: NDArray[Any]) -> NDArray[np.int32]:
    limit = 1 << 22  # far outside, yet within OpenCV's fixed-point range
    placed: NDArray[np.int32] = np.round(np.clip(pixels, -limit, limit) * (1 << _SHIFT)).astype(np.int32)
    return placed
