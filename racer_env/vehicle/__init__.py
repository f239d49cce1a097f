"""The real car's own software, as far as a driver meets it, as functions: what it loads, sees and does.

Facts are from the public source of the car's packages (``aws-deepracer-*-pkg``, of 2021, called *stock* here) and of
the community's ``deepracer-custom-car`` 2.1 (*custom*). No car was at hand: what only a car shows, such as its speed
and its view of a real track, is not here.
"""
