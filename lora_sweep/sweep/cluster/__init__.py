"""A sweep on the machines of a cluster: cut into jobs, submitted, watched, gone on with. No torch
but on the nodes.
"""
