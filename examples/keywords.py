"""A function for examples/setup.py: the words that a text has most."""

import collections
import re

COMMON = {"a", "and", "for", "from", "is", "its", "most", "of", "one", "that", "the", "to"}


def keywords(body: str, most: int) -> list:
    words = re.findall(r"[a-z]+", body.lower())
    counts = collections.Counter(word for word in words if word not in COMMON)
    # Equally frequent words in the order of the alphabet: the same text always gives the same words.
    return sorted(counts, key=lambda word: (-counts[word], word))[:most]
