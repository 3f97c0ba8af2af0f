"""What happens to files: flipped bits, cuts, pieces that move."""

from __future__ import annotations

from hypothesis import strategies as st


def flipped(content: bytes, bit: int) -> bytes:
    """Flip one bit."""
    made = bytearray(content)
    made[bit // 8] ^= 1 << bit % 8
    return bytes(made)


def damaged(content: bytes) -> st.SearchStrategy[bytes]:
    """Flip bits, cut, overwrite, leave out and repeat; one to three times."""
    places = st.integers(0, len(content))
    words = [b"\0" * 64, b"\xff" * 8, b"nan", b"-", b"9" * 40, b"\n", b"e999"]
    pieces = st.binary(max_size=12) | st.sampled_from(words)

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


@st.composite
def one_bit(draw: st.DrawFn, content: bytes) -> bytes:
    """Flip exactly one bit."""
    return flipped(content, draw(st.integers(0, 8 * len(content) - 1)))
