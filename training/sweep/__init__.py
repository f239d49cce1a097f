"""Sweeps: many trainings that differ in hyperparameters, action space or reward, compared over several seeds.

`plan` says what is swept, `candidate` makes a model folder of one choice, `schedule` trains the candidates on an engine
(`local`, `on_ray`), `trials` keeps what came out in an Optuna study, and `comparison` tells which is better.
"""
