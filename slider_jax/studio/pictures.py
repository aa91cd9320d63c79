"""Pictures that leave the studio: previews, thumbnails, strips, films."""

import io
import json

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from slider_jax import film as films
from slider_jax import photo
from slider_jax.face import requests
from slider_jax.photo_file import Photo
from slider_jax.session import Session
from slider_jax.studio import story as stories
from slider_jax.studio.story import Layer

PREVIEW, THUMB = 85, 80  # JPEG quality
THUMB_SIDE = 96
SECONDS, RATE, REST = 0.6, 16, 7  # of a film: each way, frames a second and at rest


def jpeg(pixels: UInt8[np.ndarray, "h w 3"], quality: int = PREVIEW) -> bytes:
    return _encoded(Image.fromarray(pixels), "JPEG", quality=quality)


def overlay(mask: UInt8[np.ndarray, "h w"]) -> bytes:
    """The mask as the alpha of a PNG."""
    colour = np.broadcast_to(np.array([255, 96, 64], np.uint8), (*mask.shape, 3))
    plate = Image.fromarray(np.dstack([colour, mask]))
    return _encoded(plate, "PNG", compress_level=1)


def frames(answer: dict, files: list[bytes]) -> bytes:
    """See the list of endpoints."""
    answer = answer | {"sizes": [len(file) for file in files]}
    return b"".join([json.dumps(answer).encode(), b"\n", *files])


def thumbs(session: Session, index: int) -> list[bytes]:
    """The measured face with one component at -1, and at 1."""
    files = []
    for value in (-1.0, 1.0):
        vector = session.measured.expression.copy()
        vector[index] = value
        face = Image.fromarray(session.edit(vector).crop)
        small = face.resize((THUMB_SIDE, THUMB_SIDE), Image.Resampling.LANCZOS)
        files.append(jpeg(np.asarray(small), THUMB))
    return files


def strip(session: Session, layer: Layer, name: str, steps: int) -> bytes:
    """One row of the face, `name` from end to end and all else as asked: a PNG."""
    low, high = requests.limits(name)
    row, record = [], {}
    for value in np.linspace(low, high, steps).tolist():
        request = layer.request | {name: value}
        result = stories.wear(session, Layer(layer.start, request))
        row.append(result.crop)
        record = result.record
    record = record | {"strip": {"slider": name, "from": low, "to": high}}
    return photo.save(Photo(np.concatenate(row, 1)), record=record)


def film(session: Session, layer: Layer) -> bytes:
    """From the face as measured to what is asked, and back, for ever: a GIF."""
    now, then = session.measured.expression, stories.vector(session, layer)
    results = [session.edit(v) for v in films.passages([now, then], SECONDS, RATE)]
    there = [result.photo.pixels for result in results]
    rest = REST * there[-1:]
    way = [*REST * there[:1], *there, *rest, *there[::-1]]
    return films.gif(way, RATE, record=results[-1].record)


def _encoded(image, format, **options):
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()
