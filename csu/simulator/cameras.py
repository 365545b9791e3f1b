"""The cameras that exist in the simulation: who and where they are, how they are encoded, where they are served.

Light on purpose (no picture library), so that tests and the demo can read the table.
"""

from dataclasses import dataclass
from typing import Literal, get_args

Stream = Literal["main", "sub"]
STREAMS: tuple[Stream, ...] = get_args(Stream)
GOP_S = 2


@dataclass(frozen=True, slots=True)
class Place:
    """Commune and camera as written in the picture, in French."""

    commune: str
    name: str


# The communes take turns, so that the first few cameras already show all three.
PLACES: tuple[Place, ...] = (
    Place("Évreux", "Place du Marché"),
    Place("Vernon", "Rue des Tilleuls - point de collecte"),
    Place("Les Andelys", "Quai du Port"),
    Place("Évreux", "Avenue de la Gare"),
    Place("Vernon", "Quai de Seine"),
    Place("Les Andelys", "Rue de l'Église"),
    Place("Évreux", "Rue du Lavoir"),
    Place("Vernon", "Rue de la Mairie"),
    Place("Les Andelys", "Entrée de ville"),
    Place("Évreux", "Parking des Écoles"),
    Place("Vernon", "Avenue des Platanes"),
    Place("Les Andelys", "Rue du Moulin"),
)
DUMPING_CAMERA = 2  # its loop is the long one, in which something is dumped from a van


@dataclass(frozen=True, slots=True)
class Profile:
    """One encoding: pixels, whole frames per second, mean bits per second."""

    width: int
    height: int
    fps: int
    bit_rate: int

    @property
    def ticks_90k(self) -> int:
        """Duration of a frame; exact, because 90000 is a multiple of every rate used."""
        return 90_000 // self.fps


@dataclass(frozen=True, slots=True)
class Quality:
    """What is encoded for each camera. Loop lengths are whole numbers of GOPs, in seconds.

    `codec` is "h264" or "h265". With `b_frames` pictures are sent in another order than they are shown.
    """

    name: str
    main: Profile
    sub: Profile
    loop_s: int
    long_loop_s: int
    codec: str = "h264"
    b_frames: bool = False

    @property
    def label(self) -> str:
        """What its files' names begin with."""
        name = self.name if self.codec == "h264" else f"{self.name}-{self.codec}"
        return f"{name}-b" if self.b_frames else name

    def profile(self, stream: Stream) -> Profile:
        return self.main if stream == "main" else self.sub

    def length_s(self, camera: int) -> int:
        return self.long_loop_s if scene_of(camera) == DUMPING_CAMERA else self.loop_s

    def frames(self, camera: int, stream: Stream) -> int:
        return self.length_s(camera) * self.profile(stream).fps


_SUB = Profile(640, 360, 10, 256_000)
FULL = Quality("full", Profile(1920, 1080, 25, 2_000_000), _SUB, 38, 190)
QUICK = Quality("quick", Profile(960, 540, 25, 800_000), _SUB, 6, 6)
RICH = Quality("rich", Profile(1920, 1080, 25, 4_000_000), _SUB, 38, 38)
QUALITIES: dict[str, Quality] = {q.name: q for q in (FULL, QUICK, RICH)}


def scene_of(camera: int) -> int:
    """The encoded scene (1..12) that a camera shows: cameras beyond the twelfth show the same twelve again."""
    return (camera - 1) % len(PLACES) + 1


def path(camera: int, stream: Stream) -> str:
    """Path of a stream on the server; at least two digits."""
    return f"/cam/{camera:02d}/{stream}"


def parse_path(text: str) -> tuple[int, Stream] | None:
    """Camera and stream of a request path (a track suffix is allowed), or None when it names none."""
    words = text.strip("/").split("/")
    if len(words) < 3 or words[0] != "cam" or not words[1].isascii() or not words[1].isdigit():
        return None
    for stream in STREAMS:
        if words[2] == stream:
            return int(words[1]), stream
    return None
