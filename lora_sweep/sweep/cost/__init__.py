"""What trials cost in time, memory and disk: measured on this machine, or inferred. No torch, save
in `calibrate`, which is a process of its own.
"""
