"""The words pages are filled with."""

from __future__ import annotations

import random

SENTENCES = [
    "Thanks for stopping by, please look around and stay as long as you like.",
    "I update this page every Sunday, so come back soon and tell your friends.",
    "Everything you see here I typed by hand on my new computer.",
    "If a picture does not load, press reload and count to ten.",
    "My brother says nobody will read this. Prove him wrong and sign the book!",
    "This is the third version of the page and by far the best one.",
    "Send me a note if you find a broken link or a spelling mistake.",
    "More pictures are coming as soon as I get the scanner back.",
    "We started with two pages and now there are more than forty.",
    "Please do not copy my pictures without asking first.",
]
NAMES = [
    "Sandy",
    "Marek",
    "Uncle Bob",
    "PixelQueen",
    "Jo & Tim",
    "Lars",
    "moonchild",
    "Dr. Disk",
    "Rosa",
    "xX_Nova_Xx",
]
PLACES = ["Ohio", "Gdansk", "the farm", "Rotterdam", "Kyoto", "Perth", "Lisbon", "next door"]
DATES = [
    "Jan 4, 1998",
    "Mar 17, 1999",
    "July 2, 2000",
    "Oct 30, 1997",
    "Dec 24, 1999",
    "Feb 9, 2001",
    "Aug 8, 1996",
]


def prose(rng: random.Random, count: int) -> str:
    """Some sentences."""
    return " ".join(rng.sample(SENTENCES, count))
