"""Measured speed: each script prints what the README claims, as ratios measured in one run."""
