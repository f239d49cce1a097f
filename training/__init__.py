"""Training: PPO from the camera, with DeepRacer's files going in and coming out.

Importing this package loads no learner; `training.train` and its neighbours do when they are used.
"""
