"""The parts of scripts/full_size_check.py."""
