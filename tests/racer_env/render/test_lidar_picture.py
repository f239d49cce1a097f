import math

import numpy as np
import numpy.typing as npt
import pytest

from racer_env.metadata import LidarConfig
from racer_env.render import palette
from racer_env.render.lidar_picture import draw_lidar, draw_lidar_disc, is_lidar
from racer_env.sensors import Sensor, find_sensors
from racer_env.sensors.imperfections import Noisy
from racer_env.sensors.lidar import DISCRETIZED_SECTOR_LIDAR, LIDAR, RAYS, SECTOR_LIDAR, Lidar, Scanner, Steps

KINDS = (LIDAR, SECTOR_LIDAR, DISCRETIZED_SECTOR_LIDAR, Lidar("few", Steps(LidarConfig(4, 2, 1.0)), Scanner()))
BEHIND = slice(28, 36)  #: rays
LEFT = slice(10, 14)


def told(sensor: Lidar, rays: slice | None, length: float) -> npt.NDArray[np.float64]:
    """What a sensor tells when some rays meet something."""
    ranges = np.full((1, RAYS), np.inf)
    if rays:
        ranges[0, rays] = length
    values: npt.NDArray[np.float64] = sensor.reading.of(ranges)[0]
    return values


def red(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    return np.asarray((np.abs(picture[..., :3].astype(int) - palette.BAD).max(axis=2) < 40) & (picture[..., 3] > 100))


def offset(mask: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Where the middle of a mask is, right of and above the middle of the picture."""
    rows, columns = np.nonzero(mask)
    return columns.mean() - 0.5 * (mask.shape[1] - 1), 0.5 * (mask.shape[0] - 1) - rows.mean()


@pytest.mark.parametrize("sensor", KINDS, ids=lambda s: s.name)
def test_what_is_near_is_red_where_it_is(sensor: Lidar) -> None:
    up = 0.5 * math.pi
    nothing = np.asarray(draw_lidar(sensor, told(sensor, None, 0.0), 100.0, up))
    assert not red(nothing).any()
    x, y = offset(red(np.asarray(draw_lidar(sensor, told(sensor, BEHIND, 0.4), 100.0, up))))
    assert y < -10.0
    assert abs(x) < 8.0
    x, y = offset(red(np.asarray(draw_lidar(sensor, told(sensor, LEFT, 0.4), 100.0, up))))
    assert x < -10.0


def test_the_picture_turns_with_the_car() -> None:
    values = told(LIDAR, LEFT, 0.5)
    pictures = [np.asarray(draw_lidar(LIDAR, values, 90.0, yaw)).astype(int) for yaw in (0.0, 0.5 * math.pi)]
    assert np.abs(np.rot90(pictures[0]) - pictures[1]).mean() < 3.0


def test_a_ray_ends_after_its_length_to_scale() -> None:
    picture = np.asarray(draw_lidar(LIDAR, told(LIDAR, slice(31, 33), 0.6), 100.0, 0.5 * math.pi))
    rows, _ = np.nonzero(red(picture))
    assert rows.max() - 0.5 * (picture.shape[0] - 1) == pytest.approx(60.0, abs=4.0)


@pytest.mark.parametrize("sensor", KINDS, ids=lambda s: s.name)
@pytest.mark.parametrize("size", [84, 181])
def test_a_disc_has_its_size_and_a_car_in_its_middle(sensor: Lidar, size: int) -> None:
    disc = np.asarray(draw_lidar_disc(sensor, told(sensor, BEHIND, 0.3), size))
    assert disc.shape == (size, size, 4)
    assert disc[0, 0, 3] == 0
    middle = disc[size // 2 - 3 : size // 2 + 3, size // 2 - 3 : size // 2 + 3, :3].reshape(-1, 3)
    assert (middle.astype(int).max(axis=1) > 150).any()


def test_an_imperfect_lidar_is_a_lidar_and_a_camera_is_none() -> None:
    noisy: Sensor = Noisy(SECTOR_LIDAR, 0.1)
    assert is_lidar(noisy)
    assert not any(map(is_lidar, find_sensors(["STATE"])))
    values = told(SECTOR_LIDAR, LEFT, 0.2)
    assert draw_lidar(noisy, values, 50.0, 0.0) == draw_lidar(SECTOR_LIDAR, values, 50.0, 0.0)
    with pytest.raises(TypeError, match="STATE is no LiDAR"):
        draw_lidar(find_sensors(["STATE"])[0], values, 50.0, 0.0)
