import math

import numpy as np

# The line belongs to the track, so it is computed at the first call and kept for all others.
known = {"waypoints": None, "room": 0.0, "line": None}


def racing_line(waypoints, room):
    """Find a smooth line that stays within `room` metres of the waypoints.

    Imagine a rubber band laid along the track: every point is pulled towards the middle of its two
    neighbours, and the band becomes shorter and straighter. Where it would leave its room, it is held back.
    """
    centre = np.array(waypoints)
    line = centre.copy()
    loop = waypoints[0] == waypoints[-1]
    for _ in range(300):
        if loop:  # the first and the last point are the same place
            line[0] = line[-1] = 0.5 * (line[1] + line[-2])
        line[1:-1] = 0.4 * line[:-2] + 0.2 * line[1:-1] + 0.4 * line[2:]

        offset = line - centre
        distance = np.hypot(offset[:, 0], offset[:, 1])
        too_far = np.maximum(distance / room, 1.0)
        line = centre + offset / too_far[:, None]
    return [(float(x), float(y)) for x, y in line]


def distance_and_direction(line, behind, ahead, x, y):
    """Distance of (x, y) from a piece of the line, and the direction of that piece in degrees."""
    if ahead < behind:  # at the very end of the track
        behind, ahead = behind - 1, behind
    while line[behind] == line[ahead]:  # some tracks hold a point twice: go back to another one
        behind -= 1
    (x1, y1), (x2, y2) = line[behind], line[ahead]
    direction = math.atan2(y2 - y1, x2 - x1)
    aside = math.cos(direction) * (y - y1) - math.sin(direction) * (x - x1)
    return abs(aside), math.degrees(direction)


def reward_function(params):
    """Follow a racing line, computed from the waypoints of whatever track this is."""
    waypoints = params["waypoints"]
    width = params["track_width"]

    # Tracks can be narrower elsewhere; then find the line again with less room.
    room = 0.3 * width
    if known["waypoints"] != waypoints or room < 0.9 * known["room"]:
        known["waypoints"] = list(waypoints)
        known["room"] = room
        known["line"] = racing_line(waypoints, room)

    if not params["all_wheels_on_track"]:
        return 0.001

    behind, ahead = params["closest_waypoints"]
    distance, direction = distance_and_direction(known["line"], behind, ahead, params["x"], params["y"])
    turned = abs((params["heading"] - direction + 180.0) % 360.0 - 180.0)

    near = max(0.0, 1.0 - distance / (0.5 * width))  # 1.0 on the line, 0.0 half a track away from it
    straight = max(0.0, 1.0 - turned / 45.0)  # 1.0 along the line, 0.0 at 45 degrees to it
    fast = min(params["speed"] / 3.0, 1.0)

    # Multiplied, so that speed pays only on the line and in its direction.
    return float(near * straight * (0.4 + 0.6 * fast) + 0.001)
