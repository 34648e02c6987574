"""From settings to finished trials."""
