"""The measures of a trial: pure functions of tensors, and what they are computed from."""
