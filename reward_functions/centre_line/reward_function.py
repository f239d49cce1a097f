import numpy as np


def reward_function(params):
    """Stay near the centre line.

    The easiest way to a first complete lap: full reward on the line, next to nothing at the border.
    """
    distance = params["distance_from_center"]
    half_width = 0.5 * params["track_width"]

    # 1.0 on the centre line, 0.0 on the border. Squaring makes small errors cheap and large ones dear.
    nearness = 1.0 - (distance / half_width) ** 2

    # Beyond the border it would be negative; a tiny reward is enough to say "bad".
    return float(max(nearness, 0.001))


def batch_reward_function(params):
    """The same for many cars at once: every value is an array with one number for each car.

    Optional. Racer uses it when it is there, because one call for all cars is faster than one for each.
    """
    half_width = 0.5 * params["track_width"]
    nearness = 1.0 - (params["distance_from_center"] / half_width) ** 2
    return np.maximum(nearness, 0.001)
