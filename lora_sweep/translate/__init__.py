"""Commands of other trainers as commands of this one: diffusers' script and kohya's sd-scripts.

Imports config alone, so that translating needs no torch; nothing imports it but scripts/.
"""
