"""Pictures that leave the studio: previews, thumbnails, strips, films."""

import io
import json
from collections.abc import Iterator

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from slider_jax import photo
from slider_jax.face import requests
from slider_jax.photo_file import Photo
from slider_jax.session import Result, Session
from slider_jax.studio import story as stories
from slider_jax.studio.story import Layer

PREVIEW, THUMB = 85, 80  # JPEG quality
THUMB_SIDE = 96
FRAMES, PAUSE, REST = 10, 60, 500  # of a film: frames each way, milliseconds


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
    results = list(_way(session, now, then))
    images = [Image.fromarray(result.photo.pixels) for result in results]
    # One palette for all, or colours would flicker; the last picture has them all.
    palette = images[-1].quantize(255)
    fixed = lambda image: image.quantize(
        palette=palette, dither=Image.Dither.FLOYDSTEINBERG
    )
    there = [fixed(image) for image in images]
    film = there + there[-2:0:-1]
    times = [PAUSE] * len(film)
    times[0] = times[len(there) - 1] = REST
    out = io.BytesIO()
    film[0].save(
        out,
        "GIF",
        save_all=True,
        append_images=film[1:],
        duration=times,
        loop=0,
        comment=json.dumps(results[-1].record).encode(),
    )
    return out.getvalue()


def _way(session, now, then) -> Iterator[Result]:
    for t in np.linspace(0, 1, FRAMES):
        share = t * t * (3 - 2 * t)
        yield session.edit((1 - share) * now + share * then)


def _encoded(image, format, **options):
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()
