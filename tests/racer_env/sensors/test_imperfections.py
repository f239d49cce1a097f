"""Imperfections have their size, keep what a sensor promises, and come from the stream of the car."""

import numpy as np
import numpy.typing as npt
import pytest

from racer_env.errors import RacerError
from racer_env.kernel import COMPILED
from racer_env.sensors import Sensor
from racer_env.sensors.camera import FRONT_FACING_CAMERA
from racer_env.sensors.imperfections import Blurred, Compressed, Noisy, Relit
from racer_env.sensors.lidar import LIDAR
from racer_env.sensors.state import STATE
from racer_env.simulator import Simulator
from racer_env.track import Track, find_track

Observations = npt.NDArray[np.float64]
CAMERA = FRONT_FACING_CAMERA


@pytest.fixture(scope="module")
def oval() -> Track:
    return find_track("oval")


def seen(track: Track, sensor: Sensor, n: int = 1, seed: int = 0) -> Observations:
    world = Simulator(track, sensors=[sensor], n=n, seed=seed)
    return world.reset()[sensor.name].astype(np.float64)


@pytest.mark.parametrize(
    "sensor",
    [
        Noisy(CAMERA, 200.0),
        Noisy(STATE, 5.0),
        Noisy(LIDAR, 0.5),
        Relit(CAMERA, (100.0, 200.0), (2.0, 3.0)),
        Blurred(CAMERA, (0.5, 2.0)),
        Compressed(CAMERA, (5.0, 10.0)),
        Compressed(Blurred(Relit(Noisy(Noisy(CAMERA, 9.0), 9.0), (9.0, 9.0)), (0.5, 0.5)), (50.0, 50.0)),
    ],
)
def test_name_shape_type_and_bounds_are_kept(oval: Track, sensor: Sensor) -> None:
    world = Simulator(oval, sensors=[sensor], n=2)
    values = world.reset()[sensor.name]
    space = sensor.space()
    assert sensor.name in ("FRONT_FACING_CAMERA", "STATE", "LIDAR")
    assert (values.shape[1:], values.dtype) == (space.shape, space.dtype)
    assert all(space.contains(row) for row in values)


def test_noise_has_its_deviation_and_no_mean(oval: Track) -> None:
    cars = 3 if COMPILED else 1
    plain, noisy = seen(oval, CAMERA, cars), seen(oval, Noisy(CAMERA, 4.0), cars)
    inside = (plain > 30) & (plain < 225)
    errors = (noisy - plain)[inside]
    assert abs(errors.mean()) < 0.1
    assert errors.std() == pytest.approx(4.0, rel=0.03)
    assert abs(np.mean(np.abs(errors) <= 4.0) - 0.74) < 0.02  # rounded to whole shades
    assert abs(np.corrcoef(errors[1:], errors[:-1])[0, 1]) < 0.02


def test_noise_is_new_for_every_car_tick_episode_and_wrapper(oval: Track) -> None:
    world = Simulator(oval, sensors=[Noisy(STATE, 0.1)], n=2)
    bare = Simulator(oval, sensors=[STATE], n=2)
    rows = []
    for act in ("reset", "step", "reset"):
        for w in (world, bare):
            w.reset() if act == "reset" else w.step(np.zeros(2, np.int64))
        rows += list((world.observations["STATE"] - bare.observations["STATE"])[:, 6:].round(6))
    twice = seen(oval, Noisy(Noisy(STATE, 0.1), 0.1), 2) - seen(oval, STATE, 2)
    rows += list(twice[:, 6:].round(6))
    rows += list(0.5 * twice[:, 6:])
    assert len({row.tobytes() for row in rows}) == len(rows)


def test_the_same_seed_gives_the_same_and_another_one_something_else(oval: Track) -> None:
    sensor = Compressed(Relit(Noisy(CAMERA, 3.0), (-30.0, 30.0), (0.8, 1.2)), (50.0, 95.0))
    first = seen(oval, sensor, 2, seed=1)
    np.testing.assert_array_equal(first, seen(oval, sensor, 2, seed=1))
    np.testing.assert_array_equal(first[:1], seen(oval, sensor, 1, seed=1))
    assert not np.array_equal(first, seen(oval, sensor, 2, seed=2))


def test_brightness_adds_and_contrast_spreads_around_the_middle(oval: Track) -> None:
    plain = seen(oval, CAMERA)
    lighter, weaker = seen(oval, Relit(CAMERA, (20.0, 20.0))), seen(oval, Relit(CAMERA, contrast=(0.5, 0.5)))
    np.testing.assert_array_equal(lighter, np.minimum(plain + 20, 255))
    assert np.abs(weaker - (127.5 + 0.5 * (plain - 127.5))).max() <= 0.5
    np.testing.assert_array_equal(plain, seen(oval, Relit(CAMERA)))


def test_light_is_drawn_once_an_episode(oval: Track) -> None:
    world = Simulator(oval, sensors=[Relit(CAMERA, (-40.0, 40.0))], n=1)
    bare = Simulator(oval, sensors=[CAMERA], n=1)
    added = []
    for act in ("reset", "step", "step", "reset", "reset"):
        for w in (world, bare):
            w.reset() if act == "reset" else w.step(np.full(1, 2))
        apart = world.observations[CAMERA.name].astype(int) - bare.observations[CAMERA.name]
        added.append(int(np.median(apart)))
    assert added[0] == added[1] == added[2]
    assert len(set(added[2:])) == 3


def test_a_blur_is_the_mean_of_a_square_and_keeps_the_light(oval: Track) -> None:
    plain, blurred = seen(oval, CAMERA)[0, ..., 0], seen(oval, Blurred(CAMERA, (1.0, 1.0)))[0, ..., 0]
    around = np.pad(plain, 1, mode="edge")
    mean = sum(around[r : r + 120, k : k + 160] for r in range(3) for k in range(3)) / 9
    assert np.abs(blurred - mean).max() <= 0.5 + 1e-9
    np.testing.assert_array_equal(plain, seen(oval, Blurred(CAMERA, (0.0, 0.0)))[0, ..., 0])
    half = seen(oval, Blurred(CAMERA, (0.5, 0.5)))[0, ..., 0]
    assert 0 < np.abs(half - plain).mean() < np.abs(blurred - plain).mean()
    assert abs(half.mean() - plain.mean()) < 0.5


def test_jpeg_loses_more_with_less_quality(oval: Track) -> None:
    plain = seen(oval, CAMERA)
    losses = [np.abs(seen(oval, Compressed(CAMERA, (q, q))) - plain).mean() for q in (95.0, 50.0, 10.0)]
    assert 0.0 < losses[0] < 2.0
    assert losses[0] < losses[1] < losses[2]


def test_impossible_imperfections_are_refused_in_one_sentence() -> None:
    for make, sentence in (
        (lambda: Noisy(CAMERA, -1.0), "deviation of Noisy is .* at least 0"),
        (lambda: Relit(CAMERA, (10.0, 5.0)), r"brightness of Relit is \(10.0, 5.0\), but must be a least and a most"),
        (lambda: Compressed(CAMERA, (0.0, 50.0)), "quality of Compressed is .* 1 to 95"),
        (lambda: Blurred(LIDAR, (1.0, 1.0)), "Blurred is for pictures, but LIDAR does not give any"),
    ):
        with pytest.raises(RacerError, match=sentence):
            make()
