"""What stands on the floor, in a camera's picture: boxes, and cars made of a few blocks, painted over what is there.

Every block is a cuboid, whose faces are projected exactly by the pinhole and clipped where they come too near, and
then painted by `racer_env.sensors.faces`. Which of two things is in front is decided by a plane between them, not by
their distances. Metres; rows count from the top, columns from the left.

The light is fixed and the same after mirroring the world: full on what faces up, less on what faces along x, and
least along y. There are no shadows. The model stops being true for bodies that run through each other, of which the
nearer is painted in front; its edges are a little sharper than the original's, whose filter is two pixels wide.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from racer_env.bodies import Kind
from racer_env.kernel import Floats, Ints, Records, kernel
from racer_env.sensors.faces import CORNERS, Faces, Picture, add_face, paint, room_for

NEAR = 0.02  #: m, nothing nearer is seen (``urdf/deepracer/racecar.gazebo``)
LUMA = (0.2989, 0.5870, 0.1140)  #: grey of red, green and blue (rl_coach, ``rgb_to_y``)
UP, ALONG, ACROSS, UNDER = 1.0, 0.8, 0.6, 0.4  #: share of the light on faces up, along x, along y and down

_NONE, _BOX = int(Kind.NONE), int(Kind.BOX)

#: Blocks of a body of size 1 x 1 x 1: back and front, right and left, bottom and top, and how much of the body's
#: colour and of white they have.
BOX_BLOCKS = np.array([[-0.5, 0.5, -0.5, 0.5, 0.0, 1.0, 1.0, 0.0]])
CAR_BLOCKS = np.array(
    [
        [0.14, 0.37, 0.31, 0.50, 0.00, 0.37, 0.0, 0.04],  # wheels
        [0.14, 0.37, -0.50, -0.31, 0.00, 0.37, 0.0, 0.04],
        [-0.37, -0.14, 0.31, 0.50, 0.00, 0.37, 0.0, 0.04],
        [-0.37, -0.14, -0.50, -0.31, 0.00, 0.37, 0.0, 0.04],
        [-0.48, 0.48, -0.31, 0.31, 0.10, 0.37, 0.4, 0.0],  # chassis
        [-0.50, 0.50, -0.45, 0.45, 0.37, 0.54, 1.0, 0.0],  # shell
        [-0.34, 0.18, -0.32, 0.32, 0.54, 0.74, 0.0, 0.09],  # windows
        [-0.34, 0.10, -0.32, 0.32, 0.74, 0.82, 1.0, 0.0],  # roof
        [-0.50, -0.36, -0.48, 0.48, 0.84, 1.00, 0.6, 0.0],  # wing
    ]
)


class Eye(NamedTuple):
    """A camera."""

    x: float
    y: float
    z: float
    c: float  #: cosine and sine of its yaw
    s: float
    cp: float  #: and of its pitch, down
    sp: float
    focal: float  #: px
    height: int  #: px
    width: int


@kernel
def draw(
    bodies: Records,
    own: int,
    x: float,
    y: float,
    z: float,
    yaw: float,
    pitch: float,
    focal: float,
    picture: Picture,
) -> None:
    """Paint the bodies of a world into a picture of it.

    Args:
        bodies: `racer_env.bodies.BODY` (b,).
        own: the one that carries the camera and is not seen; -1 for none.
        x: m, where the camera is.
        y: m.
        z: m over the floor.
        yaw: rad, where it looks.
        pitch: rad, how far down.
        focal: px, its focal length.
        picture: (h, w, 1) grey or (h, w, 3) red, green and blue, painted in place.
    """
    eye = Eye(
        x, y, z, math.cos(yaw), math.sin(yaw), math.cos(pitch), math.sin(pitch), focal, len(picture), len(picture[0])
    )
    count, blocks = 0, 0
    for k in range(len(bodies)):
        if k != own and _is_in_view(bodies[k], eye):
            count, blocks = count + 1, blocks + (1 if bodies[k].kind == _BOX else len(CAR_BLOCKS))
    if count == 0:
        return
    order, last = np.empty(count, np.int64), 0
    for k in range(len(bodies)):
        if k != own and _is_in_view(bodies[k], eye):
            order[last], last = k, last + 1
    _sort_bodies(bodies, order, eye)
    faces = room_for(3 * blocks, picture.shape[2])
    found = 0
    for j in range(count):
        found = _add_body(bodies[order[j]], eye, faces, found)
    if found > 0:
        paint(faces, found, picture)


@kernel
def _is_in_view(body: Records, eye: Eye) -> bool:
    """Tell whether the ball around a body reaches into the picture."""
    if body.kind == _NONE:
        return False
    dx, dy, up = body.x - eye.x, body.y - eye.y, 0.5 * body.height - eye.z
    radius = 0.5 * math.sqrt(body.length * body.length + body.width * body.width + body.height * body.height)
    ahead, right = eye.c * dx + eye.s * dy, eye.s * dx - eye.c * dy
    depth, down = eye.cp * ahead - eye.sp * up, -eye.sp * ahead - eye.cp * up
    wide, high = 0.5 * eye.width / eye.focal, 0.5 * eye.height / eye.focal
    return bool(
        depth + radius > NEAR
        and abs(right) < wide * depth + radius * math.sqrt(1.0 + wide * wide)
        and abs(down) < high * depth + radius * math.sqrt(1.0 + high * high)
    )


@kernel
def _sort_bodies(bodies: Records, order: Ints, eye: Eye) -> None:
    """Put in front what no other hides; where all hide each other, the nearest."""
    for j in range(len(order) - 1):
        chosen, shortest = j, math.inf
        for k in range(j, len(order)):
            body = bodies[order[k]]
            distance = math.hypot(body.x - eye.x, body.y - eye.y)
            if distance < shortest:
                chosen, shortest = k, distance
            if _is_free(bodies, order, j, k, eye):
                chosen = k
                break
        order[j], order[chosen] = order[chosen], order[j]


@kernel
def _is_free(bodies: Records, order: Ints, start: int, k: int, eye: Eye) -> bool:
    for other in range(start, len(order)):
        if other != k and _may_hide(bodies[order[other]], bodies[order[k]], eye):
            return False
    return True


@kernel
def _reach(body: Records, way: float) -> float:
    """How far a body's rectangle reaches from its middle in a direction."""
    turn = body.yaw - way
    return float(0.5 * (body.length * abs(math.cos(turn)) + body.width * abs(math.sin(turn))))


@kernel
def _may_hide(a: Records, b: Records, eye: Eye) -> bool:
    """Tell whether one body may hide another: not if a line between them has the camera on the other's side."""
    for way in (a.yaw, a.yaw + 0.5 * math.pi, b.yaw, b.yaw + 0.5 * math.pi):
        c, s = math.cos(way), math.sin(way)
        apart, camera = c * (a.x - b.x) + s * (a.y - b.y), c * (eye.x - b.x) + s * (eye.y - b.y)
        line = abs(apart) - _reach(a, way)
        if line >= _reach(b, way) and math.copysign(camera, camera * apart) <= line:
            return False
    return True


@kernel
def _add_body(body: Records, eye: Eye, faces: Faces, found: int) -> int:
    """Add the faces of a body that can be seen; give how many there are now."""
    c, s = math.cos(body.yaw), math.sin(body.yaw)
    dx, dy = eye.x - body.x, eye.y - body.y
    place = np.array((c * dx + s * dy, c * dy - s * dx, eye.z))  # of the camera, seen from the body
    along, across = ALONG * c * c + ACROSS * s * s, ALONG * s * s + ACROSS * c * c
    blocks = _blocks_of(body)
    order = _sort_blocks(blocks, place)
    points, spots = np.empty((4, 3)), np.empty((CORNERS, 2))
    for j in range(len(blocks)):
        block = blocks[order[j]]
        for axis in range(3):
            is_high = place[axis] > block[2 * axis + 1]
            if not is_high and place[axis] >= block[2 * axis]:
                continue
            light = along if axis == 0 else across if axis == 1 else UP if is_high else UNDER
            corners = _project(block, axis, is_high, body, eye, points, spots)
            if corners > 2 and add_face(spots, corners, eye.height, eye.width, faces, found):
                _shade(light * block[6], light * block[7], body, faces.shades[found])
                faces.opacity[found] = 1.0 - body.transparency
                found += 1
    return found


@kernel
def _blocks_of(body: Records) -> Floats:
    """The blocks of a body in its own frame, in metres."""
    shape = BOX_BLOCKS if body.kind == _BOX else CAR_BLOCKS
    blocks = np.empty(shape.shape)
    for j in range(len(shape)):
        for k in range(shape.shape[1]):
            size = body.length if k < 2 else body.width if k < 4 else body.height if k < 6 else 1.0
            blocks[j, k] = size * shape[j, k]
    return blocks


@kernel
def _sort_blocks(blocks: Floats, place: Floats) -> Ints:
    """Give blocks in an order in which none is hidden by a later one, seen from a place in their frame."""
    order = np.arange(len(blocks))
    for j in range(len(order) - 1):
        for k in range(j, len(order)):
            is_free = True
            for other in range(j, len(order)):
                if other != k and _block_may_hide(blocks[order[other]], blocks[order[k]], place):
                    is_free = False
                    break
            if is_free:
                order[j], order[k] = order[k], order[j]
                break
    return order


@kernel
def _block_may_hide(a: Floats, b: Floats, place: Floats) -> bool:
    for axis in range(3):
        low, high = 2 * axis, 2 * axis + 1
        if (a[low] >= b[high] and place[axis] <= a[low]) or (a[high] <= b[low] and place[axis] >= a[high]):
            return False
    return True


@kernel
def _shade(colour: float, white: float, body: Records, out: Floats) -> None:
    red, green, blue = colour * body.red + white, colour * body.green + white, colour * body.blue + white
    if len(out) == 3:
        out[0], out[1], out[2] = 255.0 * red, 255.0 * green, 255.0 * blue
    else:
        out[0] = 255.0 * (LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue)


@kernel
def _project(block: Floats, axis: int, is_high: bool, body: Records, eye: Eye, points: Floats, spots: Floats) -> int:
    """Write the spots (5, 2) of a face's corners in the picture; give how many there are: those before the camera."""
    c, s = math.cos(body.yaw), math.sin(body.yaw)
    first, second = (axis + 1) % 3, (axis + 2) % 3
    at = np.empty(3)
    for j in range(4):
        at[axis] = block[2 * axis + is_high]
        at[first] = block[2 * first + (0 < j < 3)]
        at[second] = block[2 * second + (j >= 2)]
        dx, dy = body.x + c * at[0] - s * at[1] - eye.x, body.y + s * at[0] + c * at[1] - eye.y
        ahead, up = eye.c * dx + eye.s * dy, at[2] - eye.z
        points[j, 0], points[j, 1] = eye.cp * ahead - eye.sp * up, eye.s * dx - eye.c * dy
        points[j, 2] = -eye.sp * ahead - eye.cp * up
    count = 0
    for j in range(4):
        one, next_one = points[j], points[(j + 1) % 4]
        if one[0] >= NEAR:
            count = _put(one[0], one[1], one[2], eye, spots, count)
        if (one[0] >= NEAR) != (next_one[0] >= NEAR):
            share = (NEAR - one[0]) / (next_one[0] - one[0])
            right, down = one[1] + share * (next_one[1] - one[1]), one[2] + share * (next_one[2] - one[2])
            count = _put(NEAR, right, down, eye, spots, count)
    return count


@kernel
def _put(depth: float, right: float, down: float, eye: Eye, out: Floats, count: int) -> int:
    out[count, 0] = 0.5 * eye.height + eye.focal * down / depth
    out[count, 1] = 0.5 * eye.width + eye.focal * right / depth
    return count + 1
