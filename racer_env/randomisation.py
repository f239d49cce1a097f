"""What differs from car to car and from episode to episode, so that a driver learns what it cannot rely on.

A `Randomisation` is a value: the range of everything that is drawn, by the level's name in `LEVELS`. It is handed to
`racer_env.simulator.Simulator`, which then does the rest: tracks, sensors and cars are given as for any other.

* **For each car and episode**, evenly from the range, by the car's own stream: what its body and motors are like, and
  what happens to its pictures. The same seed gives the same draws, and car 7's do not depend on how many there are.
* **For each world**: road, colours, texture, light and cameras are costly to prepare, so that a level has a fixed list
  of `worlds`, with `cameras` in each, drawn once and the same in every run; an episode takes one of each by its stream.
  Several tracks share the number, at least one for each. The first world of a track has the road as it is. The noise's
  deviation and the quality of JPEG are the world's, too. A world needs as much memory as a track that is seen.
* **On the way to the motors** a command is spoiled by noise and trim, and late. Reward functions, traces and sensors
  know nothing of that: `params` show what was chosen.

**original** is what the original does when ``ENABLE_DOMAIN_RANDOMIZATION`` is set (``markov/domain_randomizations``):
at each reset every light gets red, green and blue of its diffuse part and its attenuation evenly from 0 to 1, every
obstacle and bot car a colour of its own, and nothing else changes. Our camera has no lamps, only colours as they look
under the original's, so the equivalent is: 35 % of the light on the floor is the scene's ambient, which stays, and the
rest the sun's, which is scaled in each colour by what is drawn over what it was, (1, 1, 0.8). What a wall has more
than the darkest one, which the sun does not reach, is scaled alike; so is the sun's reflection; the sky is not lit.
(The share is the darkest wall's colour over its texture's, 0.37, and that of the floor over its own, 1.05.) The other
lamp hangs 15 m up, where the drawn attenuation leaves next to nothing of it, and is left out. Lights are drawn for
each of eight worlds, not for each episode.

**mild** and **strong** are for leaving the simulator. Mild stays within what two cars of one make, or two evenings in
one room, differ by. Strong contains mild, and what `racer_env.car.PHYSICAL_RANGES` says of grip, gyration, the lags and
gains of servo and motor; its lower top speeds and its slips it does not reach. Noise of commands, 10 %, is after Balaji
et al., *DeepRacer: Autonomous Racing Platform for Experimentation with Sim2Real Reinforcement Learning* (2020); here it
multiplies. Grip scales the slips with it, as a slippery floor does not make tyres stiffer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, NamedTuple, get_type_hints

from racer_env.errors import RacerError, nearest
from racer_env.kernel import Records, kernel
from racer_env.randomness import between, fork, salt_of
from racer_env.sensors import Sensor
from racer_env.track import Track

Range = tuple[float, float]  #: least and most

_LONGEST_DELAY = 1.0  #: s
_COLOURS = salt_of("body colours")


class Of(NamedTuple):
    """What a range is of."""

    meaning: str
    least: float  #: that makes sense
    most: float


@dataclass(frozen=True)
class Randomisation:
    """Ranges (least, most), each drawn from evenly; None where nothing is drawn.

    "Times" multiplies what the car, track or camera has, "plus" is added to it.

    Raises:
        RacerError: a range is the wrong way round, or reaches beyond what makes sense.
    """

    name: str
    worlds: int = 1  #: of different road, colours, texture and light
    cameras: int = 1  #: of different place and lens in each world

    grip: Annotated[Range | None, Of("friction of the tyres, times", 0.1, 10.0)] = None
    gyration: Annotated[Range | None, Of("radius of gyration, times", 0.5, 2.0)] = None
    steering_lag: Annotated[Range | None, Of("lag of the servo, times", 0.1, 10.0)] = None
    steering_gain: Annotated[Range | None, Of("steering angle over commanded angle, times", 0.1, 2.0)] = None
    wheel_lag: Annotated[Range | None, Of("lag of the motor, times", 0.1, 10.0)] = None
    wheel_gain: Annotated[Range | None, Of("speed over commanded speed, and top speed, times", 0.1, 2.0)] = None
    steering_trim: Annotated[Range | None, Of("steering, plus degrees", -30.0, 30.0)] = None
    command_delay: Annotated[Range | None, Of("time from command to motors, plus s", 0.0, _LONGEST_DELAY)] = None
    command_noise: Annotated[Range | None, Of("steering and speed, in each control period, times", 0.0, 2.0)] = None

    body_colours: Annotated[Range | None, Of("red, green and blue of each obstacle and bot car", 0.0, 1.0)] = None
    sunlight: Annotated[Range | None, Of("red, green and blue of the sun", 0.0, 1.0)] = None
    sun_azimuth: Annotated[Range | None, Of("direction of the sun, plus degrees", -180.0, 180.0)] = None
    sun_glare: Annotated[Range | None, Of("reflection of the sun, times", 0.0, 5.0)] = None
    road_width: Annotated[Range | None, Of("width of the road, times", 0.5, 2.0)] = None
    paint: Annotated[Range | None, Of("red, green and blue of each surface, times", 0.0, 3.0)] = None
    repaint: Annotated[Range | None, Of("share of any colour at all in field, walls and sky", 0.0, 1.0)] = None
    texture: Annotated[Range | None, Of("deviation of a pattern on the floor, shades of 255", 0.0, 64.0)] = None

    camera_above: Annotated[Range | None, Of("height of the camera, plus m", -0.1, 0.5)] = None
    camera_pitch: Annotated[Range | None, Of("pitch of the camera, plus degrees", -30.0, 30.0)] = None
    camera_ahead: Annotated[Range | None, Of("place of the camera ahead, plus m", -0.2, 0.2)] = None
    camera_left: Annotated[Range | None, Of("place of the camera to the left, plus m", -0.2, 0.2)] = None
    field_of_view: Annotated[Range | None, Of("field of view, times", 0.5, 1.8)] = None

    gradient: Annotated[Range | None, Of("rise of the light across the picture, share on either side", 0.0, 0.9)] = None
    brightness: Annotated[Range | None, Of("brightness of the picture, plus shades of 255", -255.0, 255.0)] = None
    contrast: Annotated[Range | None, Of("contrast of the picture, times", 0.1, 4.0)] = None
    blur: Annotated[Range | None, Of("blur, pixels to either side", 0.0, 8.0)] = None
    noise: Annotated[Range | None, Of("deviation of the noise of pixels, shades of 255", 0.0, 64.0)] = None
    jpeg: Annotated[Range | None, Of("quality of JPEG", 1.0, 95.0)] = None

    def __post_init__(self) -> None:
        for name in ("worlds", "cameras"):
            if not 1 <= getattr(self, name) <= 256:
                raise RacerError(f"randomisation {self.name}: {name} must be from 1 to 256, not {getattr(self, name)}")
        for name, (least, most) in self.ranges.items():
            _, low, high = DRAWN[name]
            if not low <= least <= most <= high:
                raise RacerError(
                    f"randomisation {self.name}: {name} = {(least, most)} must be two rising numbers "
                    f"from {low:g} to {high:g}"
                )

    @property
    def ranges(self) -> dict[str, Range]:
        """What is drawn, by its name."""
        return {name: getattr(self, name) for name in DRAWN if getattr(self, name) is not None}

    def draws(self, *names: str) -> bool:
        """Tell whether any of these is drawn."""
        return any(getattr(self, name) is not None for name in names)

    @cached_property
    def varies_cars(self) -> bool:
        """Whether cars differ in what drives them."""
        return self.draws(*FACTORS) or self.spoils_commands

    @cached_property
    def spoils_commands(self) -> bool:
        """Whether something happens to a command on its way to the motors."""
        return self.draws("steering_trim", "command_delay", "command_noise")

    @cached_property
    def varies_worlds(self) -> bool:
        """Whether tracks or sensors differ."""
        return self.draws(*WORLD, *CAMERA, *PICTURE)


#: Everything that can be drawn, by its name.
DRAWN: Mapping[str, Of] = {
    name: hint.__metadata__[0]
    for name, hint in get_type_hints(Randomisation, include_extras=True).items()
    if hasattr(hint, "__metadata__")
}

#: What worlds, cameras and pictures differ in.
WORLD = ("sunlight", "sun_azimuth", "sun_glare", "road_width", "paint", "repaint", "texture")
CAMERA = ("camera_above", "camera_pitch", "camera_ahead", "camera_left", "field_of_view")
PICTURE = ("gradient", "brightness", "contrast", "blur", "noise", "jpeg")

#: Fields of `racer_env.car.CAR` that a factor multiplies.
FACTORS: Mapping[str, tuple[str, ...]] = {
    "grip": ("grip_along", "grip_across", "slip_along", "slip_rise", "slip_across"),
    "gyration": ("gyration",),
    "steering_lag": ("steering_lag",),
    "steering_gain": ("steering_gain",),
    "wheel_lag": ("wheel_lag",),
    "wheel_gain": ("wheel_gain", "top_speed"),
}

NONE = Randomisation("none")
ORIGINAL = Randomisation("original", worlds=8, body_colours=(0.0, 1.0), sunlight=(0.0, 1.0))
MILD = Randomisation(
    "mild",
    worlds=4,
    cameras=4,
    grip=(0.85, 1.15),
    gyration=(0.95, 1.05),
    steering_lag=(0.8, 1.25),
    steering_gain=(0.93, 1.07),
    wheel_lag=(0.8, 1.25),
    wheel_gain=(0.93, 1.07),
    steering_trim=(-1.0, 1.0),
    command_delay=(0.0, 0.03),
    command_noise=(0.9, 1.1),
    body_colours=(0.0, 1.0),
    sun_azimuth=(-45.0, 45.0),
    sun_glare=(0.5, 1.5),
    road_width=(0.95, 1.05),
    paint=(0.85, 1.15),
    repaint=(0.0, 0.2),
    texture=(0.0, 4.0),
    camera_above=(-0.005, 0.005),
    camera_pitch=(-1.0, 1.0),
    camera_ahead=(-0.005, 0.005),
    camera_left=(-0.003, 0.003),
    field_of_view=(0.98, 1.02),
    gradient=(0.0, 0.1),
    brightness=(-15.0, 15.0),
    contrast=(0.9, 1.1),
    blur=(0.0, 0.5),
    noise=(0.0, 3.0),
    jpeg=(80.0, 95.0),
)
STRONG = Randomisation(
    "strong",
    worlds=8,
    cameras=4,
    grip=(0.65, 1.5),
    gyration=(0.9, 1.2),
    steering_lag=(0.5, 2.0),
    steering_gain=(0.8, 1.2),
    wheel_lag=(0.5, 2.0),
    wheel_gain=(0.8, 1.2),
    steering_trim=(-3.0, 3.0),
    command_delay=(0.0, 0.1),
    command_noise=(0.8, 1.2),
    body_colours=(0.0, 1.0),
    sun_azimuth=(-180.0, 180.0),
    sun_glare=(0.0, 2.5),
    road_width=(0.85, 1.2),
    paint=(0.6, 1.5),
    repaint=(0.0, 1.0),
    texture=(0.0, 12.0),
    camera_above=(-0.015, 0.015),
    camera_pitch=(-3.0, 3.0),
    camera_ahead=(-0.015, 0.015),
    camera_left=(-0.01, 0.01),
    field_of_view=(0.92, 1.08),
    gradient=(0.0, 0.4),
    brightness=(-40.0, 40.0),
    contrast=(0.7, 1.4),
    blur=(0.0, 1.5),
    noise=(0.0, 10.0),
    jpeg=(30.0, 95.0),
)

LEVELS: Mapping[str, Randomisation] = {level.name: level for level in (NONE, ORIGINAL, MILD, STRONG)}


def find_level(name: str) -> Randomisation:
    """Give a level by its name. Raises `RacerError` for one that does not exist."""
    if name not in LEVELS:
        raise RacerError(f"no randomisation is called {name!r}; {nearest(name, LEVELS)}")
    return LEVELS[name]


_COUNTED = {"worlds": "how many that differ in road, colours, texture and light", "cameras": "how many in each world"}


def levels_table() -> str:
    """Every range of every level that draws something, as a Markdown table."""
    shown = [level for level in LEVELS.values() if level.ranges]
    rows = [["drawn", "what", *(f"`{level.name}`" for level in shown)], ["---"] * (2 + len(shown))]
    for name, (meaning, _, _) in DRAWN.items():
        rows.append([f"`{name}`", meaning, *(_cell(level.ranges.get(name)) for level in shown)])
    for name, meaning in _COUNTED.items():
        rows.append([f"`{name}`", meaning, *(str(getattr(level, name)) for level in shown)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cell(drawn: Range | None) -> str:
    return "" if drawn is None else f"{drawn[0]:g} to {drawn[1]:g}"


@kernel
def colour_bodies(bodies: Records, first: int, stream: Any, least: float, most: float) -> None:
    """Give the bodies of a world (b,) from `first` on colours of their own, in place."""
    own = fork(stream, _COLOURS)
    for j in range(first, len(bodies)):
        body = bodies[j]
        body.red, body.green = between(own, j, 0, least, most), between(own, j, 1, least, most)
        body.blue = between(own, j, 2, least, most)


__doc__ = f"{__doc__}\n{levels_table()}\n"


def variants_of(
    level: Randomisation, tracks: Sequence[Track], sensors: Sequence[Sensor]
) -> Sequence[tuple[Track, Sequence[Sensor]]]:
    """The worlds that cars may find themselves in: tracks, and the sensors to be mounted there."""
    if not level.varies_worlds:
        return [(track, sensors) for track in tracks]
    from racer_env.sensors.varied import variants  # noqa: PLC0415 (cameras only when something is seen)

    return variants(level, tracks, sensors)
