"""Names of two words, for what nobody named."""

import random

ADJECTIVES = (
    "amber", "ample", "brave", "bright", "brisk", "calm", "clear", "clever", "cosy", "crisp",
    "eager", "early", "fair", "fleet", "fresh", "gentle", "glad", "golden", "grand", "green",
    "hardy", "hidden", "honest", "jolly", "keen", "kind", "light", "lively", "lucky", "merry",
    "mild", "neat", "noble", "patient", "plain", "proud", "quick", "quiet", "rapid", "ready",
    "rustic", "sharp", "shiny", "silent", "smooth", "steady", "still", "sunny", "swift", "warm",
)  # fmt: skip

NOUNS = (
    "acorn", "anvil", "arch", "barn", "bay", "bell", "birch", "bridge", "brook", "canyon",
    "cedar", "cliff", "cloud", "comet", "coral", "creek", "dune", "ember", "falcon", "fern",
    "field", "fjord", "forest", "garden", "glade", "harbor", "heron", "hill", "island", "lake",
    "lantern", "maple", "meadow", "mill", "moon", "oak", "orchard", "otter", "paddock", "pine",
    "prairie", "reed", "ridge", "river", "saddle", "sparrow", "stable", "stone", "valley", "willow",
)  # fmt: skip


def slug() -> str:
    """A random name such as ``calm-oak``."""
    return f"{random.choice(ADJECTIVES)}-{random.choice(NOUNS)}"
