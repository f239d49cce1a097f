import math

# What the car did one step ago. Variables outside the function live as long as the training does.
previous = {"steps": math.inf, "steering": 0.0}


def reward_function(params):
    """Stay near the centre line without zig-zag.

    A car that swings from left to right is slow. It shows in how much the steering changes from step to
    step, so this function remembers the last steering angle.
    """
    steps = params["steps"]
    steering = params["steering_angle"]  # degrees, left is positive

    # Nobody tells us that a new episode begins, but `steps` falls back to a small number. (Infinity, above,
    # makes the very first call count as a new episode too.)
    new_episode = steps <= previous["steps"]
    change = 0.0 if new_episode else abs(steering - previous["steering"])
    previous["steps"] = steps
    previous["steering"] = steering

    half_width = 0.5 * params["track_width"]
    reward = max(0.001, 1.0 - params["distance_from_center"] / half_width)

    # A change of up to 10 degrees is free; 60 degrees, from one end stop to the other, costs 80 %.
    too_much = min(max(0.0, change - 10.0) / 50.0, 1.0)
    reward *= 1.0 - 0.8 * too_much

    return float(reward)
