"""What happens to files: flipped bits, cuts, pieces that move."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

WORDS = [b"\0" * 64, b"\xff" * 8, b"nan", b"-", b"9" * 40, b"\n", b"e999", b"[", b'"', b"1_0", b"\xc3\xa9"]


def flipped(content: bytes, bit: int) -> bytes:
    """Flip one bit."""
    made = bytearray(content)
    made[bit // 8] ^= 1 << bit % 8
    return bytes(made)


def damaged(content: bytes) -> st.SearchStrategy[bytes]:
    """Flip bits, cut, overwrite, leave out and repeat; one to three times."""
    places = st.integers(0, len(content))
    pieces = st.binary(max_size=12) | st.sampled_from(WORDS)

    @st.composite
    def made(draw: st.DrawFn) -> bytes:
        found = content
        for _ in range(draw(st.integers(1, 3))):
            first, second = sorted((min(draw(places), len(found)), min(draw(places), len(found))))
            short = min(second, first + 40)
            what = draw(st.integers(0, 6))
            if what < 2 and found:
                found = flipped(found, draw(st.integers(0, 8 * len(found) - 1)))
            elif what == 2:
                found = found[:first]
            elif what == 3:
                piece = draw(pieces)
                found = found[:first] + piece + found[first + len(piece) :]
            elif what == 4:
                found = found[:first] + draw(pieces) + found[first:]
            elif what == 5:
                found = found[:first] + found[short:]
            else:
                found = found[:second] + found[first:short] + found[second:]
        return found

    return made()


def spoiled(content: bytes, rng: np.random.Generator) -> bytes:
    """Do the like at random, fast: for campaigns."""
    found = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        size = len(found)
        first, length = int(rng.integers(size + 1)), int(rng.integers(1, 41))
        what = int(rng.integers(8))
        if what < 3 and size:
            found[first % size] ^= 1 << int(rng.integers(8))
        elif what == 3:
            del found[first:]
        elif what == 4:
            del found[first : first + length]
        elif what == 5:
            found[first:first] = found[first : first + length]
        elif what == 6:
            found[first : first + length] = rng.bytes(length)
        else:
            word = WORDS[int(rng.integers(len(WORDS)))]
            found[first : first + len(word)] = word
    return bytes(found)


@st.composite
def one_bit(draw: st.DrawFn, content: bytes) -> bytes:
    """Flip exactly one bit."""
    return flipped(content, draw(st.integers(0, 8 * len(content) - 1)))
