"""The painted floor has the sizes of the original's meshes, and its packed texels hold their neighbours."""

from itertools import pairwise

import numpy as np
import pytest

from racer_env.sensors.ground import (
    BORDER,
    BORDER_WIDTH,
    DASH,
    DASH_WIDTH,
    FIELD,
    LEVELS,
    ROAD,
    TEXEL,
    WALL_DISTANCE,
    Layout,
    lay_out,
    paint,
)
from racer_env.track import Track, find_track


@pytest.fixture(scope="module")
def oval() -> Track:
    return find_track("oval")


@pytest.fixture(scope="module")
def layout(oval: Track) -> Layout:
    return lay_out(oval)


def test_surfaces_cover_what_their_sizes_say(oval: Track, layout: Layout) -> None:
    counts = np.bincount(np.asarray(layout.image).ravel(), minlength=4) * (0.5 * TEXEL) ** 2
    assert counts[DASH] == pytest.approx(0.5 * oval.length * DASH_WIDTH, rel=0.03)
    assert counts[BORDER] == pytest.approx(2 * oval.length * BORDER_WIDTH, rel=0.05)
    assert counts[[ROAD, BORDER, DASH]].sum() == pytest.approx(oval.length * oval.width, rel=0.02)
    assert counts[FIELD] > 0.0


def test_walls_stand_around_the_track(oval: Track, layout: Layout) -> None:
    away = np.abs(layout.walls - np.array(oval.bounds))
    np.testing.assert_allclose(away, WALL_DISTANCE)
    assert (layout.origin < layout.walls[:2]).all()


def test_a_texel_holds_its_neighbours_and_levels_their_means(layout: Layout) -> None:
    ground = paint(layout, (50, 190, 130, 120))
    levels = []
    for k in range(LEVELS):
        rows, columns = ground.size[k]
        levels.append(ground.texels[ground.first[k] : ground.first[k] + rows * columns].reshape(rows, columns))
    finest = levels[0]
    np.testing.assert_array_equal(finest[:-1, :-1] >> 8 & 255, finest[:-1, 1:] & 255)
    np.testing.assert_array_equal(finest[:-1, :-1] >> 16 & 255, finest[1:, :-1] & 255)
    np.testing.assert_array_equal(finest[:-1, :-1] >> 24, finest[1:, 1:] & 255)
    for fine, coarse in pairwise(levels):
        mean = (fine & 255).reshape(coarse.shape[0], 2, coarse.shape[1], 2).mean(axis=(1, 3))
        assert np.abs(mean - (coarse & 255)).max() <= 0.5
