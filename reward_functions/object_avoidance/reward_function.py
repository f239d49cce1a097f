import math

FAR, NEAR, PASSED = 2.5, 1.0, -0.5  # metres in front of the nose where a box begins to matter, does, and no longer does


def metres_in_front(params, i):
    """How far object i is in front of the car's nose; negative if it is behind."""
    x, y = params["objects_location"][i]
    heading = math.radians(params["heading"])
    return (x - params["x"]) * math.cos(heading) + (y - params["y"]) * math.sin(heading)


def place_to_be(params):
    """Metres left of the centre line: 0, or towards the middle of the free lane while a box is ahead or beside."""
    # There may be no objects at all: the lists are empty then.
    if params["objects_location"]:
        # `closest_objects` is the object behind and the one ahead. If there is only one, it is both.
        for i in params["closest_objects"]:
            distance = metres_in_front(params, i)
            if PASSED < distance < FAR:
                lane = 0.25 * params["track_width"] * min(1.0, (FAR - distance) / (FAR - NEAR))
                return -lane if params["objects_left_of_center"][i] else lane
    return 0.0


def reward_function(params):
    """Stay on the road, and change lanes in time for the boxes on it."""
    if params["is_crashed"] or params["is_offtrack"]:
        return 0.001

    here = params["distance_from_center"] if params["is_left_of_center"] else -params["distance_from_center"]
    half_width = 0.5 * params["track_width"]
    reward = max(0.0, 1.0 - abs(here - place_to_be(params)) / half_width)
    if not params["all_wheels_on_track"]:
        reward *= 0.5
    return float(reward + 0.001)
