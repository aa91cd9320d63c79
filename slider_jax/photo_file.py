"""Photographs in and out of files: any mode that Pillow reads, any bytes at all."""

import contextlib
import dataclasses
import io
import os
import pathlib
import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageCms, ImageOps

from slider_jax import photo_record

MOST_PIXELS = 89_000_000  # Pillow warns of decompression bombs from 89.5 million
MOST_BYTES = 512 * 2**20
# Not among them: formats that call other programs (EPS), and those nobody shoots in.
READS = "PNG JPEG WEBP TIFF GIF BMP DIB PPM TGA AVIF JPEG2000 ICO PCX SGI QOI"
# EXIF tags that go: orientation, and how a TIFF file lays out its pixels and packets.
_LAYOUT = (*range(254, 260), 262, 266, *range(273, 280), 284, *range(317, 326))
_LAYOUT += (
    330,
    338,
    339,
    347,
    *range(512, 522),
    530,
    531,
    532,
    700,
    33723,
    34377,
    34675,
)

# Where EXIF data is silent, programs turn a picture as its XMP packet says.
_TURNED = re.compile(
    rb"""\s*tiff:Orientation\s*=\s*(["'])\d\1|<tiff:Orientation>\d</tiff:Orientation>"""
)

Source = str | os.PathLike | bytes | BinaryIO | Image.Image | np.ndarray


class PhotoError(ValueError):
    """A file that is no photo we can read or write; one sentence, with a way out."""


@dataclasses.dataclass(frozen=True, eq=False)
class Photo:
    """Upright: the orientation of the EXIF data is applied, and taken out of it.

    A `grey` photo has three equal channels and is saved with one. `encoder` is what
    saving needs to compress as the source did. `faces` tells what faces wear that were
    edited by us, see photo_record.py.
    """

    pixels: UInt8[np.ndarray, "h w 3"]
    alpha: UInt8[np.ndarray, "h w"] | None = None
    name: str = "the photo"
    format: str = "PNG"
    grey: bool = False
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    encoder: dict[str, Any] = dataclasses.field(default_factory=dict)
    faces: tuple[photo_record.Face, ...] = ()

    def replace(self, **changes: Any) -> "Photo":
        """With other pixels, nothing is known of the faces unless `faces` says it."""
        forget = {"faces": ()} if "pixels" in changes else {}
        return dataclasses.replace(self, **forget | changes)


def open_photo(source: Source) -> Photo:
    """A path, bytes, an open file, a Pillow image, or an array of bytes [h w (3|4)]."""
    if isinstance(source, np.ndarray):
        return _of_image(_of_array(source), "the array")
    if isinstance(source, Image.Image):
        with one_sentence("the image"):
            return _of_image(source.copy(), "the image")
    content, name = read(source)
    with one_sentence(name), opened(content, name) as image:
        photo = _of_image(image, name)
    if photo.format == "WEBP":
        photo.encoder["lossless"] = b"VP8L" in content[:64]
    return photo


@contextlib.contextmanager
def one_sentence(name: str, what: str = "read") -> Iterator[None]:
    """Decoders meet hostile files with errors of every kind."""
    try:
        yield
    except PhotoError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise PhotoError(
            f"{name} cannot be {what} ({reason[:120]}): save it again as PNG or JPEG "
            "in a program that shows it."
        ) from error


def read(source: Source) -> tuple[bytes, str]:
    """All bytes of a file, and its name."""
    if isinstance(source, bytes | bytearray | memoryview):
        content, name = bytes(source), "the photo"
    elif hasattr(source, "read"):
        content, name = source.read(MOST_BYTES + 1), str(getattr(source, "name", ""))
        name = "standard input" if name in ("", "<stdin>", "0") else name
    else:
        path = pathlib.Path(source)
        name = str(path)
        if path.is_dir():
            raise PhotoError(f"{name} is a folder: name the photo in it.")
        if not path.exists():
            raise PhotoError(f"There is no {name}: check the path.")
        if not path.is_file():
            raise PhotoError(f"{name} is no file: name a photo.")
        try:
            with path.open("rb") as file:
                content = file.read(MOST_BYTES + 1)
        except OSError as error:
            raise PhotoError(
                f"{name} cannot be read ({error.strerror}): check its permissions."
            ) from error
    if not content:
        raise PhotoError(f"{name} is empty: choose another file.")
    if len(content) > MOST_BYTES:
        raise PhotoError(
            f"{name} is larger than {MOST_BYTES // 2**20} MiB: save it smaller."
        )
    return content, name


@contextlib.contextmanager
def opened(content: bytes, name: str) -> Iterator[Image.Image]:
    with warnings.catch_warnings():
        # Pillow warns of odd metadata, which is no concern of ours, and of bombs.
        warnings.simplefilter("ignore")
        Image.init()  # else it knows five formats
        try:
            image = Image.open(io.BytesIO(content), formats=READS.split())
        except Image.DecompressionBombError:
            raise _too_large(name) from None
        except Image.UnidentifiedImageError:
            raise PhotoError(
                f"{name} is not a picture that can be read: choose a PNG, JPEG, WebP, "
                "TIFF, GIF or BMP file."
            ) from None
        with image:
            if image.width * image.height > MOST_PIXELS:
                raise _too_large(name)
            yield image


def _too_large(name):
    return PhotoError(
        f"{name} has more than {MOST_PIXELS // 1_000_000} million pixels: "
        "scale it down first."
    )


def _of_array(array):
    if array.dtype != np.uint8 or not (
        (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4)))
        and array.size
    ):
        raise PhotoError(
            f"An array of {array.dtype} {list(array.shape)} is no photo: give uint8 "
            "[height, width] or [height, width, 3 or 4]."
        )
    return Image.fromarray(np.ascontiguousarray(array))


def _of_image(image, name):
    if not image.width * image.height:
        raise PhotoError(f"{name} has no pixels: choose another file.")
    image.load()
    xmp, upright = xmp_of(image), _upright(image)
    xmp = xmp and _TURNED.sub(b"", xmp)
    exif = _exif(image)
    encoder = _encoder(image)
    icc, format = image.info.get("icc_profile"), image.format or "PNG"
    image = upright
    has_alpha = image.has_transparency_data
    grey = image.mode in ("1", "L", "LA", "La", "I", "F") or image.mode[:2] == "I;"
    if image.mode in ("I", "F") or image.mode[:2] == "I;":
        image = _eight_bits(image)
    if image.mode == "CMYK":
        image, icc = _of_ink(image, icc), None
    alpha = None
    if has_alpha:
        image = image.convert("RGBA")
        alpha = np.asarray(image.getchannel("A"))
    pixels = np.array(image.convert("RGB"))
    return Photo(
        pixels=pixels,
        alpha=alpha,
        name=name,
        format="JPEG" if format == "MPO" else format,
        grey=grey,
        icc=icc,
        exif=exif,
        xmp=xmp,
        encoder=encoder,
        faces=photo_record.faces_of(xmp, pixels),
    )


def _upright(image):
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # its EXIF data cannot be read, so nothing says how it lies
        return image


def _exif(image):
    """What it says of the shot; the thumbnail, which would go stale, is left too."""
    try:
        exif = image.getexif()
        for tag in _LAYOUT:
            exif.pop(tag, None)
        return exif.tobytes() if len(exif) else None
    except Exception:  # cameras and programs write it wrong in every possible way
        return None


def xmp_of(image: Image.Image) -> bytes | None:
    xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    return xmp.encode() if isinstance(xmp, str) else xmp


def _encoder(image):
    """What the file says about its own compression."""
    kept = {"dpi": image.info["dpi"]} if "dpi" in image.info else {}
    if image.format in ("JPEG", "MPO"):
        from PIL.JpegImagePlugin import get_sampling

        kept |= dict(qtables=image.quantization, subsampling=get_sampling(image))
    if image.format == "TIFF":
        kept["compression"] = image.info.get("compression")
    return kept


def _eight_bits(image):
    """Sixteen bits hold 0..65535; floats 0..1, or else levels of 255."""
    values = np.asarray(image).astype(np.float64)
    if image.mode == "F":
        scale = 255 if np.nanmax(values) <= 1 else 1
    else:
        scale = 255 / 65535 if image.mode != "I" or values.max() > 255 else 1
    values = np.nan_to_num(values * scale).clip(0, 255)
    return Image.fromarray(np.rint(values).astype(np.uint8))


def _of_ink(image, icc):
    """To sRGB; the profile that says how the inks look is used up by it."""
    transform = _to_srgb(icc, "CMYK")
    return (
        ImageCms.applyTransform(image, transform) if transform else image.convert("RGB")
    )


def to_srgb(
    photo: Photo,
) -> Callable[[UInt8[np.ndarray, "h w 3"]], UInt8[np.ndarray, "h w 3"]]:
    """How its colours look where nothing says what they mean, as in a film."""
    transform = _to_srgb(photo.icc, "RGB")
    if transform is None:
        return lambda pixels: pixels
    seen = lambda pixels: ImageCms.applyTransform(Image.fromarray(pixels), transform)
    return lambda pixels: np.asarray(seen(pixels))


def _to_srgb(icc, mode):
    if not icc:
        return None
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        srgb = ImageCms.createProfile("sRGB")
        return ImageCms.buildTransform(profile, srgb, mode, "RGB")
    except (ImageCms.PyCMSError, OSError):
        return None  # a broken profile is no profile, nor is one of another mode
