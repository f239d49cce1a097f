"""What stands or drives on a track, as cars see it and run into it: boxes, bot cars and the race cars themselves.

The bodies of a world are a row of records: first its race cars, in their order, then everything else. Metres, radians.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Kind(IntEnum):
    """What a body is."""

    NONE = 0  #: an empty place, neither seen nor run into
    CAR = 1  #: a race car
    BOT = 2  #: a bot car, moving or parked
    BOX = 3


#: One body.
BODY = np.dtype(
    [
        ("kind", np.int64),  # `Kind`
        ("x", np.float64),  # m, its middle; a box or car stands on the floor
        ("y", np.float64),
        ("yaw", np.float64),  # rad
        ("speed", np.float64),  # m/s
        ("length", np.float64),  # m, what is seen, along its heading
        ("width", np.float64),
        ("height", np.float64),
        ("crash_length", np.float64),  # m, the rectangle that must not be touched
        ("crash_width", np.float64),
        ("red", np.float64),  # 0 to 1, colour of its surface
        ("green", np.float64),
        ("blue", np.float64),
        ("solid", np.bool_),  # can be run into; a car that serves a penalty can not
    ],
    align=True,
)
