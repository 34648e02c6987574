"""Searching instead of enumerating: Optuna suggests trials, the stage tree's engine trains them."""
