"""DeepRacer's simulator behind Gymnasium: `gymnasium.make("racer_env/TimeTrial-v0", track="oval")`.

Importing this package registers the environments and nothing more; the simulator, its kernels and everything else
load when they are used.
"""

from __future__ import annotations

import gymnasium

for _name, _race in {
    "TimeTrial": "time_trial",
    "ObjectAvoidance": "object_avoidance",
    "HeadToBot": "head_to_bot",
}.items():
    gymnasium.register(
        id=f"racer_env/{_name}-v0",
        entry_point="racer_env.env:RacerEnv",
        vector_entry_point="racer_env.vector:RacerVectorEnv",
        kwargs={"race": _race},
    )
