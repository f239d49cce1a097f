"""The batch simulator: worlds of one or more cars, moved together one control period (1/15 s) at a time.

One step follows the original's order of events: the rules and the reward judge the pose from which the action was
chosen, together with that action; then the cars move; then the sensors see where they got to. The original's first
step of an episode, in which nothing is rewarded and nothing moves, is part of `Simulator.reset`, so the first
`Simulator.step` is DeepRacer's step 2.

Car i is car ``i % k`` of world ``i // k``, where k is `Race.cars`. Worlds know nothing of each other: each may have
a track of its own, and what happens in one does not depend on how many there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from racer_env import bodies, dynamics, obstacles, params, race
from racer_env.bodies import Kind
from racer_env.car import COMMAND, DEEPRACER_V6, ActionSpace, Car, car_records
from racer_env.dynamics import MOTION
from racer_env.errors import RacerError
from racer_env.garbage import uncollected
from racer_env.kernel import Bools, Floats, Ints, Records, kernel, records
from racer_env.metadata import DEFAULT_ACTIONS
from racer_env.motors import MOTORS, draw_cars, send, waiting_room
from racer_env.obstacles import Layout
from racer_env.params import SITUATION, Seen
from racer_env.race import EPISODE, TIME_TRIAL, Race, Status
from racer_env.randomisation import NONE, Randomisation, colour_bodies, variants_of
from racer_env.randomness import Streams, below, fork, salt_of, seeds_of, streams_of
from racer_env.reward import RewardFunction
from racer_env.sensors import Memory, Reader, Sensor, View, memory_of
from racer_env.state import State
from racer_env.timing import EXACT, Timing
from racer_env.track import Track

Observations = Mapping[str, npt.NDArray[Any]]

_WHICH_TRACK = salt_of("track")


class Step(NamedTuple):
    """What a step gave. Arrays belong to the simulator and are overwritten by the next step or reset."""

    observations: Observations  #: sensor name -> (n, ...)
    rewards: Floats  #: (n,) 0 where the original does not call the reward function
    done: Bools  #: (n,) the episode is over; reset the car before its next step
    judged: Records  #: `SITUATION` (n,) that the rules and the reward judged
    episode: Records  #: `EPISODE` (n,) after judging
    command: Records  #: `COMMAND` (n,) that was chosen


class _Place(NamedTuple):
    """A track, and what is mounted and laid out for it."""

    track: Track
    readers: list[Reader]
    layouts: list[Layout]


class Simulator:
    """n worlds, of one car each if the race says nothing else.

    Args:
        track: where; of several, each world draws one at each reset.
        car: the car of every world; or one for each car of a world.
        race: the rules of an episode, and what else is on the track.
        sensors: what is observed.
        reward: what is rewarded; without one, rewards are 0 and no params are built.
        n: how many worlds.
        seed: of all random numbers; every car has a stream of its own in each episode. With several, one for each
            world, each world is as the only one of a simulator with its seed.
        actions: what an action means.
        randomisation: what differs from car to car and from episode to episode.
        timing: when control periods end; races are driven on the exact clock.

    Raises:
        RacerError: these cannot go together; one sentence says why.
    """

    def __init__(
        self,
        track: Track | Sequence[Track],
        car: Car | Sequence[Car] = DEEPRACER_V6,
        race: Race = TIME_TRIAL,
        sensors: Sequence[Sensor] = (),
        reward: RewardFunction | None = None,
        n: int = 1,
        seed: int | Sequence[int] = 0,
        actions: ActionSpace = DEFAULT_ACTIONS,
        randomisation: Randomisation = NONE,
        timing: Timing = EXACT,
    ) -> None:
        if n < 1:
            raise RacerError(f"a simulator needs at least 1 world, not {n}")
        given = (track,) if isinstance(track, Track) else tuple(track)
        cars = (car,) * race.cars if isinstance(car, Car) else tuple(car)
        _check(given, cars, race, reward, n)
        variants = variants_of(randomisation, given, tuple(sensors))
        self.tracks, self.randomisation, self.timing = tuple(track for track, _ in variants), randomisation, timing
        self.track, self.car, self.race, self.reward = self.tracks[0], cars[0], race, reward
        self.worlds, self.n, self.actions, self.sensors = n, n * race.cars, actions, tuple(sensors)
        self._advance = race.advance if self.track.closed else 0.0  # a lap that starts further on would have no end
        self._given_cars = car_records(cars * n)
        self._room = waiting_room(randomisation, self.n, max(car.command_delay for car in cars))
        self.everyone: Ints = np.arange(self.n)
        self.command = records(self.n, COMMAND)
        self.chosen: npt.NDArray[Any] = np.zeros(self.n, np.int64)  #: actions of the last step
        self.judged = records(self.n, SITUATION)
        self.rewards = np.zeros(self.n)
        self.observations = {s.name: np.zeros((self.n, *s.space().shape), s.space().dtype) for s in self.sensors}
        self._rules, self._shapes = race.rules, obstacles.shapes_of(race.obstacles, race.bots)
        self._crowded = race.cars + len(self._shapes) > 1
        self._places = [self._mount(*variant) for variant in variants]
        self.restart(seed)

    def _mount(self, track: Track, sensors: Sequence[Sensor]) -> _Place:
        layouts = obstacles.layouts_of(self.race.obstacles, self.race.bots, self.race.cars, track.length)
        return _Place(track, [sensor.on(track) for sensor in sensors], layouts)

    def restart(self, seed: int | Sequence[int]) -> None:
        """Begin anew, as if just made with this seed, or these; `reset` must follow."""
        self.seed = seed
        self._seeds, self._numbers = self._seeded(seed)
        self.state = State(
            records(self.n, MOTION),
            records(self.n, SITUATION),
            records(self.n, EPISODE),
            obstacles.make_bodies(self.worlds, self.race.cars, self._shapes),
            np.zeros(self.n, np.int64),
            np.zeros(self.n, np.uint64),
            np.zeros(self.worlds, np.int64),
            self._given_cars.copy(),
            records(self.n, MOTORS),
            self._room.copy(),
            self._nothing_remembered(),
        )
        self.state.episode.start = (self.race.start + self._advance * (self._numbers // self.race.cars)) % 1.0
        self.state.episode.number = -1
        self.judged_bodies = self.state.bodies.copy()

    def _seeded(self, seed: int | Sequence[int]) -> tuple[Streams, Ints]:
        """The seed of every car (n,), and its number among the cars of that seed (n,)."""
        if not isinstance(seed, Sequence):
            return np.repeat(seeds_of([seed]), self.n), self.everyone
        if len(seed) != self.worlds:
            raise RacerError(f"{self.worlds} worlds need one seed, or one each, not {len(seed)}")
        return np.repeat(seeds_of(seed), self.race.cars), self.everyone % self.race.cars

    @property
    def cars(self) -> Records:
        """`CAR` (n,) as they are in this episode."""
        return self.state.cars

    @property
    def time(self) -> Floats:
        """Simulated seconds (n,) of the poses that are seen now."""
        return self.state.ticks / dynamics.CONTROL_RATE

    def reset(self, cars: npt.ArrayLike | None = None) -> Observations:
        """Start a new episode in the worlds of some cars (indices or a mask; all if not given).

        The original's prepare step is part of it.
        """
        which = self.everyone if cars is None else self._whole_worlds(self.everyone[_indices(cars)])
        self._begin(which)
        self._look(which)
        race.first_progress(self.state.episode, self.state.situation, which)
        self.judged[which] = self.state.situation[which]
        self.judged_bodies[which // self.race.cars] = self.state.bodies[which // self.race.cars]
        self.command[which] = 0
        self.rewards[which] = 0.0
        self.state.ticks[which] += 1
        self._read_sensors(which)
        return self.observations

    def step(self, actions: npt.NDArray[Any]) -> Step:
        """Judge and reward every car where it stands, with its action, then move it.

        A car whose episode is over in a world where others still drive is out: it is not there any more. What a car
        observed at the end of its episode stays until it is reset.

        Args:
            actions: indices (n,), pairs (n, 2) in [-1, 1], or `COMMAND` records (n,), for cars that differ in theirs.
        """
        state = self.state
        self.command, self.chosen = self._commands(actions), actions
        self.judged = state.situation.copy()
        out = state.episode.done.copy()
        self._judge(out)
        self._call_reward(out)
        self._move(state.episode.done)
        self._look(self.everyone)
        state.ticks += 1
        self._read_sensors(np.flatnonzero(~out) if out.any() else self.everyone)
        return Step(self.observations, self.rewards, state.episode.done, self.judged, state.episode, self.command)

    def params(self, cars: Sequence[int] | Ints | None = None) -> list[dict[str, Any]]:
        """Build the params of some cars (all if not given) as last judged."""
        which = self.everyone if cars is None else np.asarray(cars)
        out: list[dict[str, Any]] = [{}] * len(which)
        for place, some in self._by_place(which):
            rows = np.flatnonzero(np.isin(which, some)).tolist()
            for row, built in zip(rows, params.build(self._seen(place, self.judged_time), which[rows]), strict=True):
                out[row] = built
        return out

    def track_of(self, car: int) -> Track:
        """The track on which a car drives."""
        return self.tracks[int(self.state.places[car // self.race.cars])]

    def place(self, car: int, x: float, y: float, yaw: float, speed: float = 0.0) -> None:
        """Put one car's middle at (x, y) m, heading `yaw` rad, rolling at `speed` m/s, its episode going on."""
        m = self.state.motion[car]
        dynamics.stand_still(m)
        m.x, m.y, m.yaw, m.speed, m.wheel_speed = x, y, yaw, speed, speed
        which = self.everyone[car : car + 1]
        self._look(which)
        self._read_sensors(which)

    @property
    def judged_time(self) -> Floats:
        """Simulated seconds (n,) of the poses last judged, one control period before those seen now."""
        return (self.state.ticks - 1) / dynamics.CONTROL_RATE

    def restore(self, state: State) -> Observations:
        """Go back to a state that was copied before; gives what is seen there."""
        self.state = state.copy()
        self.state.memory = self._nothing_remembered() | self.state.memory
        self.judged, self.judged_bodies = self.state.situation.copy(), self.state.bodies.copy()
        self._read_sensors(self.everyone)
        return self.observations

    def _nothing_remembered(self) -> dict[str, Memory]:
        readers = zip(self.sensors, self._places[0].readers, strict=True)
        return {sensor.name: memory_of(reader, self.n) for sensor, reader in readers}

    def _commands(self, actions: npt.NDArray[Any]) -> Records:
        if len(actions) != self.n:
            raise RacerError(f"{self.n} cars need {self.n} actions, not {len(actions)}")
        return actions if actions.dtype == COMMAND else self.actions.commands(actions)

    def _whole_worlds(self, which: Ints) -> Ints:
        """All cars of the worlds in which some cars are."""
        if self.race.cars == 1:
            return which
        return (np.unique(which // self.race.cars)[:, None] * self.race.cars + np.arange(self.race.cars)).ravel()

    def _by_place(self, which: Ints) -> Iterator[tuple[_Place, Ints]]:
        """Split cars by the tracks they are on."""
        if len(self._places) == 1:
            yield self._places[0], which
            return
        at = self.state.places[which // self.race.cars]
        for k in np.unique(at).tolist():
            yield self._places[k], which[at == k]

    def _begin(self, which: Ints) -> None:
        """Draw tracks, put down what stands and drives there, then the cars."""
        state = self.state
        state.streams[which] = streams_of(self._seeds[which], self._numbers[which], state.episode.number[which] + 1)
        if self.randomisation.varies_cars:
            given = self._given_cars[which]
            state.cars[which], state.motors[which] = draw_cars(self.randomisation, state.streams[which], given)
            state.pending[which] = self._room[which]
        worlds = which[which % self.race.cars == 0] // self.race.cars
        for name, value in (("kind", Kind.CAR), ("solid", True), ("transparency", 0.0)):
            state.bodies[name][worlds, : self.race.cars] = value
        if len(self._places) > 1:
            _draw_places(state.streams[worlds * self.race.cars], worlds, len(self._places), state.places)
        for place, some in self._by_place(which):
            for w in np.unique(some // self.race.cars).tolist() if self._crowded else ():
                row, stream = state.bodies[w], state.streams[w * self.race.cars]
                obstacles.populate(row, self.race.obstacles, place.layouts, stream, place.track.geometry)
                if self.randomisation.body_colours:
                    colour_bodies(row, self.race.cars, stream, *self.randomisation.body_colours)
            race.begin(state.motion, state.episode, state.bodies, some, place.track.geometry, self._advance)

    def _judge(self, out: Bools) -> None:
        state = self.state
        if self._crowded:
            self.judged_bodies = state.bodies.copy()
        driving = np.flatnonzero(~out) if self.race.cars > 1 else self.everyone
        for place, some in self._by_place(driving):
            geometry = place.track.geometry
            race.judge(state.motion, state.episode, state.situation, state.bodies, some, self._rules, geometry)
        if self._crowded:
            self.judged.is_crashed = state.episode.status == Status.CRASHED

    def _call_reward(self, out: Bools) -> None:
        self.rewards[:] = 0.0
        if self.reward is None:
            return
        called = np.flatnonzero(self.state.episode.status != Status.PAUSE)
        if self.race.cars > 1:
            called = called[~out[called]]
        with uncollected():
            for place, some in self._by_place(called) if called.size else ():
                seen = self._seen(place, self.time)
                if self.reward.batched:
                    self.rewards[some] = self.reward.batch(params.columns(seen, some))
                else:
                    self.rewards[some] = self.reward(params.Rows(seen, some), some)

    def _seen(self, place: _Place, time: Floats) -> Seen:
        around = self.judged_bodies if self._crowded else None
        return Seen(place.track, self.judged, self.state.episode, self.command, time, around)

    def _move(self, out: Bools) -> None:
        state = self.state
        held = state.episode.pause > 0
        if self.race.cars > 1:
            held |= out
            state.bodies[:, : self.race.cars].kind = np.where(out, Kind.NONE, Kind.CAR).reshape(self.worlds, -1)
        if self._crowded:
            self._drive_bots(held)
        arrived = self.command
        if self.randomisation.spoils_commands:
            level = self.randomisation
            arrived = send(level, arrived, state.motors, state.streams, state.ticks, state.pending, held)
        steps = self.timing.time_steps(state.streams, state.ticks, self.race.cars)
        dynamics.advance(state.motion, arrived, state.cars, held, steps, dynamics.SUBSTEPS)
        race.serve(state.episode)

    def _drive_bots(self, held: Bools) -> None:
        """Let bot cars drive; those of a world in which one ran into a race car stand still for a while."""
        state, first = self.state, self.everyone[:: self.race.cars]
        moving = state.bodies[:, : self.race.cars]
        moving.solid = ~held.reshape(self.worlds, -1)
        opacity = bodies.blinking(state.episode.pause / dynamics.CONTROL_RATE)
        moving.transparency = 1.0 - opacity.reshape(self.worlds, -1)
        bumped = np.any(self.judged.bumped.reshape(self.worlds, -1), axis=1)
        if bumped.any():
            bots = state.bodies[:, self.race.cars :]
            bots.pause[bumped] = np.where(bots.pause[bumped] > 0, bots.pause[bumped], self._rules.collision_penalty)
        for place, some in self._by_place(first):
            for layout in place.layouts:
                if layout.speed > 0.0:
                    streams, ticks = state.streams[first], state.ticks[first]
                    worlds = some // self.race.cars
                    obstacles.drive(state.bodies, layout, worlds, streams, ticks, place.track.geometry)

    def _look(self, which: Ints) -> None:
        state = self.state
        for place, some in self._by_place(which):
            geometry = place.track.geometry
            params.look(state.motion, state.cars, some, geometry, state.situation)
            if self._crowded:
                bodies.follow(state.motion, state.bodies, some, geometry)
        for place, some in self._by_place(which) if self._crowded else ():
            bodies.look_around(state.bodies, some, self.race.cars, place.track.geometry, state.situation)

    def _read_sensors(self, which: Ints) -> None:
        state = self.state
        for place, some in self._by_place(which):
            for sensor, reader in zip(self.sensors, place.readers, strict=True):
                memory = state.memory[sensor.name]
                view = View(state.motion, state.situation, state.cars, state.bodies, state.ticks, state.streams, memory)
                reader.read(view, some, self.observations[sensor.name])


@kernel
def _draw_places(streams: Streams, worlds: Ints, count: int, places: Ints) -> None:
    """Draw which of `count` tracks some worlds (k,) drive on, with a stream each."""
    for j in range(len(worlds)):
        places[worlds[j]] = below(fork(streams[j], _WHICH_TRACK), 0, 0, count)


def _indices(cars: npt.ArrayLike) -> npt.NDArray[Any]:
    """Indices or a mask; an empty list is no indices."""
    given = np.asarray(cars)
    return given if given.size else np.zeros(0, np.int64)


def _check(tracks: Sequence[Track], cars: Sequence[Car], race: Race, reward: RewardFunction | None, n: int) -> None:
    if not tracks:
        raise RacerError("a simulator needs at least 1 track")
    if len(cars) != race.cars:
        raise RacerError(f"the race has {race.cars} cars in a world, but {len(cars)} were given")
    if reward and len(reward.functions) != n * race.cars:
        raise RacerError(
            f"the reward function was loaded for {len(reward.functions)} cars, but there are {n * race.cars}"
        )
    for track in tracks:
        if race.start and not track.closed:
            raise RacerError(f"{track.name} is an open track, so that a race starts at 0, not at {race.start}")
        if track.closed != tracks[0].closed:
            raise RacerError(f"{tracks[0].name} and {track.name} cannot be mixed: one is a loop, the other is not")
