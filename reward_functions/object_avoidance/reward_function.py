import math


def metres_in_front(params, i):
    """How far object i is in front of the car's nose; negative if it is behind."""
    x, y = params["objects_location"][i]
    heading = math.radians(params["heading"])
    return (x - params["x"]) * math.cos(heading) + (y - params["y"]) * math.sin(heading)


def reward_function(params):
    """Stay on the road and change lanes in time for the boxes on it."""
    if params["is_crashed"] or params["is_offtrack"]:
        return 0.001

    half_width = 0.5 * params["track_width"]
    reward = max(0.0, 1.0 - (params["distance_from_center"] / half_width) ** 2)
    if not params["all_wheels_on_track"]:
        reward *= 0.5

    # There may be no objects at all: the lists are empty then.
    if params["objects_location"]:
        # `closest_objects` is the object behind and the one ahead. If there is only one, it is both.
        _, ahead = params["closest_objects"]
        same_lane = params["objects_left_of_center"][ahead] == params["is_left_of_center"]
        distance = metres_in_front(params, ahead)

        # From 1.5 m on, the same lane pays less and less; at 0.3 m, about to touch, nothing.
        if same_lane and 0.0 < distance < 1.5:
            reward *= max(0.0, (distance - 0.3) / 1.2)

    return float(reward + 0.001)
