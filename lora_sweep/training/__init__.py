"""Training: noise, loss, optimizers and schedules as functions; the step; the loop."""
