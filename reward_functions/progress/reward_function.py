import math

# Where this episode was one step ago.
previous = {"steps": math.inf, "progress": 0.0}


def reward_function(params):
    """Reward progress: how much of the lap each step gains.

    Says nothing about how to drive. A whole lap adds up to about 100 however long it takes, so a small price
    for every step is what makes the car hurry.
    """
    steps = params["steps"]
    progress = params["progress"]  # per cent of the lap

    # In a new episode `steps` falls back to 2, and there is nothing to compare with. (Infinity, above, makes
    # the very first call count as a new episode too.)
    new_episode = steps <= previous["steps"]
    gained = 0.0 if new_episode else progress - previous["progress"]
    previous["steps"] = steps
    previous["progress"] = progress

    # A wheel over the border is allowed, but gains nothing; off the road is worse than standing still.
    if params["is_offtrack"] or params["is_crashed"]:
        return -5.0
    if not params["all_wheels_on_track"]:
        gained = min(gained, 0.0)

    price_of_a_step = 0.05
    return float(gained - price_of_a_step)
