"""MATLAB 5 files, read by hand: SciPy's reader crashes on type codes that lie.

A file is a header and elements; an element is a type, a size and bytes. Numeric arrays
are read, and structs for the arrays in them; objects and functions are passed over.
"""

import pathlib
import struct
import zlib

import numpy as np

NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8"}
NUMBERS |= {12: "i8", 13: "u8"}
MATRIX, COMPRESSED = 14, 15
STRUCT, DOUBLE, SINGLE, LAST_CLASS = 2, 6, 7, 15


def read_mat5(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Every numeric array by its own name, which must be unique, structs and all."""
    raw = memoryview(path.read_bytes())
    if raw[126:128] != b"IM":  # MI would be big-endian
        raise ValueError("it is not of version 5 or 7.3")
    found = {}
    for kind, data in _elements(raw[128:]):
        if kind == COMPRESSED:
            kind, data = next(_elements(memoryview(zlib.decompress(data))))
        if kind == MATRIX:
            found |= _matrix(data)
    return found


def _elements(raw):
    at = 0
    while at < len(raw):
        kind, size = struct.unpack_from("<II", raw, at)
        start, align = at + 8, 8
        if kind >> 16:  # a small one: type, size and data in eight bytes
            kind, size, start, align = kind & 0xFFFF, kind >> 16, at + 4, 4
        if start + size > len(raw):
            raise ValueError("it ends too soon")
        yield kind, raw[start : start + size]
        at = start + size + (0 if kind == COMPRESSED else -size % align)


def _matrix(data):
    """One array by its name, or what a struct holds, or nothing we could use."""
    if not len(data):
        return {}
    parts = _elements(data)
    (_, flags), (_, shape), (_, name) = next(parts), next(parts), next(parts)
    kind = np.frombuffer(flags, "<u4")[0] & 0xFF
    shape = np.frombuffer(shape, "<i4")
    if kind == STRUCT and shape.prod() == 1:
        (_, width), (_, names) = next(parts), next(parts)
        width = int(np.frombuffer(width, "<i4")[0])
        fields = (names[i : i + width] for i in range(0, len(names), width))
        found = {}
        for field, (_, matrix) in zip(fields, parts, strict=False):
            inside = _matrix(matrix)
            found |= {inner or _text(field): a for inner, a in inside.items()}
        return found
    if not DOUBLE <= kind <= LAST_CLASS:
        return {}
    stored, numbers = next(parts)
    if stored not in NUMBERS:
        raise ValueError("it is damaged")
    array = np.frombuffer(numbers, "<" + NUMBERS[stored]).reshape(shape, order="F")
    if array.dtype.kind != "f" and kind in (DOUBLE, SINGLE):
        array = array.astype(np.float64)  # whole numbers are stored as integers
    return {_text(name): array}


def _text(raw):
    return bytes(raw).split(b"\0")[0].decode("latin1")
