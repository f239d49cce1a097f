def reward_function(params):
    """Stay inside the borders, anywhere on the road.

    Leaves the car free to choose its own line, which a centre line reward does not.
    """
    if not params["all_wheels_on_track"]:
        return 0.001

    # The car is about 0.2 m wide. Pay less when its side comes within 5 cm of the border, so that it
    # feels the edge coming before a wheel is out.
    to_border = 0.5 * params["track_width"] - params["distance_from_center"]
    gap = to_border - 0.1
    if gap < 0.05:
        return 0.5
    return 1.0
