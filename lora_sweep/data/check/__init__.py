"""What a set of training pictures should not have, found before it is trained on.

`python -m lora_sweep.data.check <folder>`; imports no torch.
"""
