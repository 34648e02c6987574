"""The frozen base, what is trained on it, and pictures drawn with both."""
