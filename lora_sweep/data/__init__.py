"""From a dataset's settings to examples, their views, and a content-addressed cache."""
