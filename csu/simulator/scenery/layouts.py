"""The twelve streets, as parameters, in the order of `cameras.PLACES`."""

from csu.simulator.scenery.canvas import View
from csu.simulator.scenery.street import Layout

_MORNING = ((238, 202, 156), (226, 222, 232))
_GREY = ((206, 200, 196), (222, 220, 218))

LAYOUTS: tuple[Layout, ...] = (
    Layout(
        View(7.5, 14, -6, 0.66), (-5.5, 7.5), 4.0, "houses", "houses", 11, crossing=20, landmark="church", paved=True
    ),
    Layout(View(6.0, 15, 7, 0.78), (-5.0, 3.4), 3.4, "houses", "houses", 22, trees=(), bins=True),
    Layout(View(6.5, 12, -12, 0.66), (-2.0, 5.5), 3.2, "river", "houses", 99, landmark="castle"),
    Layout(View(6.5, 12, -3, 0.72), (-6.0, 5.0), 3.0, "houses", "houses", 33, crossing=16, trees=("left", "right")),
    Layout(View(6.5, 12, 10, 0.66), (-5.5, 2.5), 3.2, "houses", "river", 55, sky=_MORNING),
    Layout(
        View(5.5, 14, 5, 0.76), (-3.8, 2.8), 2.0, "houses", "houses", 110, landmark="church", paved=True, light=0.96
    ),
    Layout(View(5.5, 13, 9, 0.70), (-3.4, 2.6), 2.2, "houses", "wall", 44, light=0.94),
    Layout(View(6.0, 16, -10, 0.74), (-2.6, 4.6), 2.4, "houses", "houses", 66, side_street=26, light=1.04),
    Layout(View(7.0, 12, -5, 0.72), (-3.6, 4.4), 2.6, "park", "wall", 121, crossing=14, trees=("left",), sky=_MORNING),
    Layout(View(8.0, 17, 4, 0.64), (-9.0, 8.0), 2.0, "park", "houses", 77, trees=("left",), sky=_GREY, light=0.92),
    Layout(View(6.5, 11, 2, 0.80), (-5.5, 5.5), 4.2, "park", "park", 88, crossing=24, trees=("left", "right")),
    Layout(
        View(6.0, 15, -8, 0.70),
        (-3.0, 4.0),
        2.4,
        "wall",
        "houses",
        132,
        side_street=17,
        trees=("left",),
        sky=_GREY,
        light=0.95,
    ),
)
