"""From a driver that was trained elsewhere to one that every car, and every league, takes.

A virtual model has its graph in Coach's words, perhaps with a value head, or as SAC names and leaves it: before the
squashing. Its layers are taken out and written anew, with the squashing inside, as `policy_graph` writes our own.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from racer_env.bundle import Bundle
from racer_env.errors import BundleError
from racer_env.policy_graph import SAC_POLICY, policy_graph
from racer_env.policy_layers import policy_layers, reordered
from racer_env.vehicle.examination import frames

TOLERANCE = 1e-5  #: between actions, or probabilities of actions, before and after


def for_car(bundle: Bundle, name: str) -> Bundle:
    """Write a driver anew.

    Args:
        bundle: the driver, from wherever.
        name: what it is called from now on.

    Raises:
        BundleError: its graph is not understood, or what comes out does not do the same.
    """
    metadata = replace(bundle.metadata, training_algorithm="clipped_ppo")
    policy = reordered(policy_layers(bundle.graph), metadata.sensors)
    if bundle.output == SAC_POLICY and policy.output == "identity":
        policy = replace(policy, output="tanh")
    made = Bundle(metadata, policy_graph(policy), name)
    seen = frames(bundle)
    before, after = bundle.decide(seen), made.decide(seen)
    if not bundle.discrete:
        before, after = bundle.actions(before), made.actions(after)
    worst = float(np.abs(after - before).max())
    if not worst <= TOLERANCE:
        raise BundleError(f"the layers of the graph do something else than the graph (a difference of {worst:.2g})")
    return made
