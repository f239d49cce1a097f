import math

LOOK_AHEAD = 1.5  # metres of track to look at
SHARP = 40.0  # degrees of bend within that distance that count as a sharp corner
FAST = 3.0  # m/s, about right on a straight
SLOW = 1.0  # m/s, about right in a sharp corner


def bend_ahead(waypoints, start):
    """Degrees by which the road ahead turns away from the road here."""
    loop = waypoints[0] == waypoints[-1]
    end = start + len(waypoints) if loop else len(waypoints) - 1
    directions = []
    distance = 0.0
    for i in range(start, end):
        x1, y1 = waypoints[i % len(waypoints)]
        x2, y2 = waypoints[(i + 1) % len(waypoints)]
        length = math.hypot(x2 - x1, y2 - y1)
        if length > 0.001:  # some tracks hold a point twice, and that has no direction
            directions.append(math.atan2(y2 - y1, x2 - x1))
        distance += length
        if distance > LOOK_AHEAD:
            break

    # remainder() takes whole turns away, so that 350 degrees to the left are 10 to the right.
    turns = [abs(math.remainder(d - directions[0], math.tau)) for d in directions]
    return math.degrees(max(turns, default=0.0))


def reward_function(params):
    """Drive fast on straights and slow down for corners.

    Looks at the waypoints ahead, chooses a speed for them, and pays for driving near that speed.
    """
    if not params["all_wheels_on_track"]:
        return 0.001

    bend = bend_ahead(params["waypoints"], params["closest_waypoints"][0])
    sharpness = min(bend / SHARP, 1.0)
    good_speed = FAST + (SLOW - FAST) * sharpness

    # 1.0 at the right speed, 0.0 when it is wrong by 2 m/s.
    speed_reward = max(0.0, 1.0 - abs(params["speed"] - good_speed) / 2.0)

    # A fast car off the road wins nothing: half of the reward is for keeping away from the border.
    half_width = 0.5 * params["track_width"]
    place_reward = max(0.0, 1.0 - (params["distance_from_center"] / half_width) ** 2)

    return float(0.5 * speed_reward + 0.5 * place_reward + 0.001)
