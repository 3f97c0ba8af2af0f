"""State as bytes and back: dataclasses, arrays and what holds them, bit for bit and without pickle.

The form is that of safetensors: arrays, and beside them a JSON text which says what they belong to. Only classes that
the reader names are ever made.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from wanglandau.errors import InputError
from wanglandau.intrinsics import record_type

_TREE = np.dtype(np.uint8)
_PLAIN = (bool, int, float, str)
SPARSE_FROM = 10_000
"""Size of arrays of whole numbers from which on it is looked whether they are mostly zero,"""
SPARSE_BELOW = 0.5
"""and part of their size below which the other form is kept."""


def pack(value: Any) -> bytes:
    """Turn state into bytes.

    Parameters
    ----------
    value
        None, numbers, texts, bytes, arrays, lists, tuples, named tuples, dicts, dataclasses, nested.

    Raises
    ------
    TypeError
        If something else is in it.
    """
    writer = _Writer()
    tree = writer.tree(value)
    text = json.dumps({"tree": tree, "arrays": writer.kinds}, separators=(",", ":")).encode()
    held = {f"a{place}": array for place, array in enumerate(writer.arrays)}
    return save_tensors(held | {"tree": np.frombuffer(text, dtype=_TREE)})


def unpack(content: bytes, classes: Iterable[type]) -> Any:
    """Make state of bytes from :func:`pack`.

    Parameters
    ----------
    content : bytes
    classes : iterable of type
        Dataclasses and named tuples that may be made.

    Raises
    ------
    InputError
        If the bytes are none of this form, or hold classes that are not named.
    """
    try:
        held = load_tensors(content)
        document = json.loads(held.pop("tree").tobytes())
        arrays = [_as_kind(held[f"a{place}"], kind) for place, kind in enumerate(document["arrays"])]
        return _Reader(arrays, {kind.__name__: kind for kind in classes}).value(document["tree"])
    except (SafetensorError, KeyError, IndexError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise InputError(f"state of another form than this version writes ({error}); start anew") from error


class _Writer:
    """Collects arrays; an array that stands in two places is kept once and stays one."""

    def __init__(self) -> None:
        self.arrays: list[np.ndarray] = []
        self.kinds: list[list] = []
        self._places: dict[int, int] = {}
        self._alive: list[np.ndarray] = []  # an id may be given anew once its owner is gone

    def tree(self, value: Any) -> Any:
        if value is None or type(value) in _PLAIN:
            return value
        if isinstance(value, np.ndarray):
            return {"array": self._place(value)}
        if isinstance(value, np.generic):
            return {"scalar": self._place(np.asarray(value))}
        if isinstance(value, bytes):
            return {"bytes": value.hex()}
        if isinstance(value, list):
            return [self.tree(item) for item in value]
        if isinstance(value, dict):
            return {"dict": [[self.tree(key), self.tree(item)] for key, item in value.items()]}
        return self._of_class(value)

    def _of_class(self, value: Any) -> Any:
        name = type(value).__name__
        if dataclasses.is_dataclass(value):
            return {
                "class": name,
                "fields": {f.name: self.tree(getattr(value, f.name)) for f in dataclasses.fields(value)},
            }
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return {"class": name, "items": [self.tree(item) for item in value]}
        if isinstance(value, tuple):
            return {"tuple": [self.tree(item) for item in value]}
        raise TypeError(f"state may not hold {name}")

    def _place(self, array: np.ndarray) -> int:
        if id(array) not in self._places:
            if array.dtype.hasobject:
                raise TypeError(f"state may not hold arrays of {array.dtype}")
            kind = array.dtype.descr if array.dtype.names else array.dtype.str
            self._places[id(array)] = len(self.arrays)
            self._alive.append(array)
            content, sparse = _content_of(array)
            self.kinds.append([kind, list(array.shape), sparse])
            self.arrays.append(content)
        return self._places[id(array)]


class _Reader:
    def __init__(self, arrays: list[np.ndarray], classes: dict[str, type]) -> None:
        self._arrays, self._classes = arrays, classes

    def value(self, tree: Any) -> Any:
        if tree is None or type(tree) in _PLAIN:
            return tree
        if isinstance(tree, list):
            return [self.value(item) for item in tree]
        if "array" in tree:
            return self._arrays[tree["array"]]
        if "scalar" in tree:
            return self._arrays[tree["scalar"]][()]
        if "bytes" in tree:
            return bytes.fromhex(tree["bytes"])
        if "tuple" in tree:
            return tuple(self.value(item) for item in tree["tuple"])
        if "dict" in tree:
            return {self.value(key): self.value(item) for key, item in tree["dict"]}
        return self._of_class(tree)

    def _of_class(self, tree: dict[str, Any]) -> Any:
        kind = self._classes.get(tree["class"])
        if kind is None:
            raise ValueError(f"it holds {tree['class']}, which is not expected there")
        if "items" in tree:
            return kind(*(self.value(item) for item in tree["items"]))
        values = {name: self.value(item) for name, item in tree["fields"].items()}
        wanted = {f.name: f.init for f in dataclasses.fields(kind)}
        if values.keys() != wanted.keys():
            raise ValueError(f"{kind.__name__} has {', '.join(wanted)}, not {', '.join(values)}")
        made = kind(**{name: values[name] for name, given in wanted.items() if given})
        for name, item in values.items():
            object.__setattr__(made, name, item)  # as it was, whatever making it has changed
        return made


def _content_of(array: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the bytes of an array and, of one that is mostly zero, how many numbers of it are not.

    Of such an array the places of those numbers are kept and the numbers themselves.
    """
    flat = np.ascontiguousarray(array).reshape(-1)
    if array.dtype.kind in "iu" and array.size >= SPARSE_FROM:  # floats have a zero with a sign
        places = np.flatnonzero(flat)
        if len(places) * (1 + places.itemsize / array.itemsize) < SPARSE_BELOW * array.size:
            content = places.astype("<i8").tobytes() + flat[places].tobytes()
            return np.frombuffer(content, dtype=_TREE), len(places)
    return np.frombuffer(flat.tobytes(), dtype=_TREE), -1


def _as_kind(raw: np.ndarray, kind: Any) -> np.ndarray:
    """Give raw bytes their type and shape, as an array that may be written to."""
    described, shape, sparse = kind
    listed = isinstance(described, list)
    dtype = record_type([_described(item) for item in described]) if listed else np.dtype(described)
    if dtype.hasobject:
        raise ValueError(f"arrays of {dtype} are not read")
    if sparse >= 0:
        places, values = np.split(raw, [8 * sparse])
        array = np.zeros(shape, dtype=dtype)
        array.reshape(-1)[np.frombuffer(places.tobytes(), dtype="<i8")] = np.frombuffer(values.tobytes(), dtype=dtype)
        return array
    return np.frombuffer(bytearray(raw.tobytes()), dtype=dtype).reshape(shape)


def _described(item: list) -> tuple:
    """Return a field as NumPy describes it; JSON has made lists of its tuples."""
    return (item[0], item[1]) if len(item) == 2 else (item[0], item[1], tuple(item[2]))
