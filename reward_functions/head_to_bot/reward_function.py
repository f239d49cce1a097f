import math

SAFE = 1.5  # metres to a car in the same lane from which on it does not matter
TOUCH = 0.4  # metres between the middle of a car and our nose when we are about to touch


def metres_in_front(params, i):
    """How far object i is in front of the car's nose; negative if it is behind."""
    x, y = params["objects_location"][i]
    heading = math.radians(params["heading"])
    return (x - params["x"]) * math.cos(heading) + (y - params["y"]) * math.sin(heading)


def reward_function(params):
    """Race other cars: be fast, keep off their bumpers, and overtake in the free lane."""
    if params["is_crashed"] or params["is_offtrack"]:
        return 0.001
    if not params["all_wheels_on_track"]:
        return 0.05

    half_width = 0.5 * params["track_width"]
    road = max(0.0, 1.0 - (params["distance_from_center"] / half_width) ** 2)
    speed = min(params["speed"] / 3.0, 1.0)
    reward = 0.5 * road + 0.5 * speed

    # Without other cars this is a time trial, and the lists are empty.
    if params["objects_location"]:
        # `closest_objects` is the car behind us and the one ahead.
        _, ahead = params["closest_objects"]
        gap = metres_in_front(params, ahead)
        near = 0.0 < gap < SAFE
        same_lane = params["objects_left_of_center"][ahead] == params["is_left_of_center"]
        faster = params["speed"] > params["objects_speed"][ahead]

        if near and same_lane:
            # 1.0 at the safe distance, 0.0 at the bumper; coming closer still makes it worse.
            room = max(0.0, (gap - TOUCH) / (SAFE - TOUCH))
            reward *= room**2 if faster else room
        elif near and faster:
            # In the free lane, near and faster: that is overtaking.
            reward *= 1.5

    return float(reward + 0.001)
