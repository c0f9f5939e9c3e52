"""A hundred texts to encode in parts, and a model that counts what it is given."""

from embdiff.sources import get_encoder

ROWS, PART = 100, 7
TEXTS = [f"sentence {row % 90} about {row % 11} ü" for row in range(ROWS)]


class Counting:
    """Letters counted by toy; what it was given is counted, and it fails where asked to."""

    def __init__(self, fails_at=None):
        self.given, self.fails_at, self.toy = 0, fails_at, get_encoder("toy:16")

    def encode(self, texts):
        if self.fails_at is not None and self.fails_at in texts:
            raise RuntimeError("out of memory")
        self.given += len(texts)
        return self.toy.encode(texts)


def counting(fails_at=None):
    backend = Counting(fails_at)
    encoder = get_encoder(backend, spec="counting", revision="1")
    assert encoder.stamp.dim == 16
    backend.given = 0
    return backend, encoder


def hidden(folder):
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))
