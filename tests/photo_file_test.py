"""Any bytes become a photo or one sentence; what a photo carried is saved with it."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from slider_jax import photo, photo_file, photo_record

ROWS, COLUMNS = np.mgrid[:40, :60]
RGB = np.stack([4 * COLUMNS, 6 * ROWS, 2 * (COLUMNS + ROWS)], -1).astype(np.uint8)
GREY = RGB[..., 0]
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
RECORD = {"sliders": {"jawOpen": 0.6}, "note": 'ü <&> "quoted"'}
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF")


def encoded(image, format="PNG", **options):
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def exif():
    tags = Image.Exif()
    tags[0x0112], tags[0x010F] = 6, "Maker"
    return tags.tobytes()


@pytest.mark.parametrize("turn", ['tiff:Orientation="6"', "tiff:Orientation = '6'"])
def test_what_lies_upright_is_not_turned_again_by_its_xmp(turn):
    xmp = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r {turn} a="b"/></x:xmpmeta>'.encode()
    for tags in (exif(), b""):
        source = encoded(Image.fromarray(RGB), "JPEG", exif=tags, xmp=xmp)
        p = photo.open_photo(source)
        assert b"Orientation" not in p.xmp and b'a="b"' in p.xmp
        again = photo.open_photo(photo.save(p, record=RECORD))
        assert again.pixels.shape == p.pixels.shape


def test_a_phones_photo_becomes_a_tiff_with_all_its_tags(tmp_path):
    tags = Image.Exif()
    tags[0x010F] = "Maker"
    tags.get_ifd(0x8769)[0x829A] = 0.01  # exposure
    tags.get_ifd(0x8825)[1] = "N"
    source = encoded(Image.fromarray(RGB), "JPEG", exif=tags)
    p = photo.open_photo(source)
    image = Image.open(io.BytesIO(photo.save(p, tmp_path / "x.tif", record=RECORD)))
    np.testing.assert_array_equal(np.asarray(image), p.pixels)
    assert image.getexif().get_ifd(0x8825)[1] == "N"
    assert image.getexif().get_ifd(0x8769)[0x829A] == 0.01


def test_labels_are_legible_or_refused():
    p = photo.open_photo(np.full((80, 200, 3), 90, np.uint8))
    marked = lambda text: photo.open_photo(photo.save(p, label=text)).pixels
    long = (marked("an edit of this face, made by a computer") != p.pixels).any((0, 2))
    assert long.any() and not long[0]  # it begins in the picture
    np.testing.assert_array_equal(marked("two\nlines"), marked("two lines"))
    with pytest.raises(photo.PhotoError, match="has '日', which its font has not"):
        marked("日本")
    with pytest.raises(photo.PhotoError, match="too long for this picture"):
        marked("word " * 99)


def test_a_grey_profile_stays_where_pixels_are_grey(tmp_path):
    grey = photo.open_photo(GREY).replace(icc=b"a profile of greys")
    saved = lambda name: Image.open(io.BytesIO(photo.save(grey, tmp_path / name))).info
    assert "icc_profile" not in saved("x.webp") and saved("x.png")["icc_profile"]


def refusal(source):
    with pytest.raises(photo.PhotoError) as error:
        photo.open_photo(source)
    assert not isinstance(error.value, photo.FaceError)
    text = str(error.value)
    assert text.endswith(".") and "\n" not in text and len(text) < 300
    return text


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV"]
)
def test_every_mode_is_read_as_pillow_shows_it(mode):
    image = Image.fromarray(RGB)
    if mode == "LAB":
        lab = ImageCms.createProfile("LAB")
        srgb = ImageCms.createProfile("sRGB")
        image = ImageCms.profileToProfile(image, srgb, lab, outputMode="LAB")
    else:
        image = image.convert("P" if mode == "PA" else mode).convert(mode)
    p = photo.open_photo(image)
    np.testing.assert_array_equal(p.pixels, np.asarray(image.convert("RGB")))
    assert p.grey == (mode in ("1", "L", "LA"))
    assert (p.alpha is not None) == (mode in ("LA", "PA", "RGBA"))


@pytest.mark.parametrize(
    "deep",
    [GREY.astype(np.uint16) * 257, GREY.astype(np.int32) * 257, GREY / np.float32(255)],
    ids=["I;16", "I", "F"],
)
def test_deep_pictures_become_eight_bits(deep):
    p = photo.open_photo(encoded(Image.fromarray(deep), "TIFF"))
    np.testing.assert_array_equal(p.pixels[..., 0], GREY)
    assert p.grey


@pytest.mark.parametrize("format", FORMATS)
def test_a_photo_is_turned_upright_and_stays_so(format):
    source = encoded(Image.fromarray(RGB), format, exif=exif(), icc_profile=PROFILE)
    p = photo.open_photo(source)
    assert p.pixels.shape == (60, 40, 3) and p.format == format
    assert np.abs(p.pixels - np.rot90(RGB, -1).astype(float)).mean() < 4
    again = photo.open_photo(photo.save(p))
    assert again.pixels.shape == (60, 40, 3) and again.icc == PROFILE
    tags = Image.Exif()
    tags.load(again.exif)
    assert tags[0x010F] == "Maker" and 0x0112 not in tags


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_what_is_saved_is_what_was_there(format, mode):
    image = Image.fromarray(RGB).convert(mode)
    if mode == "RGBA":
        image.putalpha(Image.fromarray(GREY))
    p = photo.open_photo(encoded(image)).replace(format=format)
    again = photo.open_photo(photo.save(p, record=RECORD))
    assert again.format == format
    assert again.grey == (mode == "L" and format != "WEBP")
    if format in ("PNG", "TIFF"):
        np.testing.assert_array_equal(again.pixels, p.pixels)
    if mode == "RGBA" and format != "JPEG":
        np.testing.assert_array_equal(again.alpha, p.alpha)


def test_a_jpeg_is_compressed_as_it_was():
    source = encoded(Image.fromarray(RGB), "JPEG", quality=60, subsampling=1)
    p = photo.open_photo(source)
    saved = Image.open(io.BytesIO(photo.save(p)))
    assert saved.quantization == Image.open(io.BytesIO(source)).quantization
    assert abs(photo.open_photo(photo.save(p)).pixels - p.pixels.astype(int)).max() < 9
    finer = Image.open(io.BytesIO(photo.save(p, quality=98)))
    assert sum(finer.quantization[0]) < sum(saved.quantization[0])


def test_a_lossless_webp_stays_lossless():
    p = photo.open_photo(encoded(Image.fromarray(RGB), "WEBP", lossless=True))
    again = photo.open_photo(photo.save(p))
    np.testing.assert_array_equal(again.pixels, RGB)


def test_ink_is_turned_into_light():
    image = Image.fromarray(RGB).convert("CMYK")
    p = photo.open_photo(encoded(image, "TIFF", icc_profile=b"no profile"))
    assert p.icc is None and np.abs(p.pixels - RGB.astype(float)).max() <= 1


@pytest.mark.parametrize("format", FORMATS)
def test_the_edit_record_comes_back_and_the_last_one_counts(format):
    p = photo.open_photo(encoded(Image.fromarray(RGB), format))
    assert photo.read_record(photo.save(p)) is None
    once = photo.save(p, record={"first": 1})
    twice = photo.save(photo.open_photo(once), record=RECORD)
    assert photo.read_record(twice) == RECORD and twice.count(b"slider:edit>") == 2
    assert photo.read_record(photo.save(photo.open_photo(twice))) is None


def test_the_record_stands_beside_what_others_wrote():
    theirs = photo_record.packet(None, b"<rdf:Description rdf:about='x'/>")
    p = photo.open_photo(encoded(Image.fromarray(RGB))).replace(xmp=theirs)
    saved = photo.open_photo(photo.save(p, record=RECORD))
    assert (
        b"rdf:about='x'" in saved.xmp and photo.read_record(photo.save(saved)) is None
    )


@pytest.mark.parametrize("faces", [1, 40, 500])
def test_a_jpeg_of_a_crowd_keeps_as_much_of_its_record_as_it_holds(faces):
    one = {"box": [0.5] * 4, "expression": [0.123456] * 30, "sliders": {"x": 0.5}}
    record = {"request": {"face": "all"}, "faces": faces * [one]}
    known = one | {"asked": {}, "model": "m"}
    p = photo.open_photo(RGB).replace(faces=faces * (known,), format="JPEG")
    saved = photo.save(p, record=record)
    found = photo.read_record(saved)
    assert found["request"] == record["request"] and ("faces" in found) == (faces < 99)
    assert len(photo.open_photo(saved).faces) == faces * (faces < 99)
    wide = photo.open_photo(photo.save(p.replace(format="PNG"), record=record))
    assert len(wide.faces) == faces


def test_a_label_is_drawn_in_the_corner_only():
    p = photo.open_photo(np.full((100, 160, 3), 200, np.uint8))
    labelled = photo.open_photo(photo.save(p, label="edited"))
    changed = np.argwhere((labelled.pixels != 200).any(-1))
    assert len(changed) and (changed.min(0) > [70, 80]).all()


def test_the_suffix_decides(tmp_path):
    p = photo.open_photo(encoded(Image.fromarray(RGB)))
    photo.save(p, tmp_path / "face.WebP")
    assert photo.open_photo(tmp_path / "face.WebP").format == "WEBP"
    with pytest.raises(photo.PhotoError, match="end its name in one of .png"):
        photo.save(p, tmp_path / "face.bmp")
    assert [path.name for path in tmp_path.iterdir()] == ["face.WebP"]


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "face.png"
    path.write_bytes(b"old")

    def write_bytes(self, content):
        with self.open("wb") as file:
            file.write(content[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", write_bytes)
    p = photo.open_photo(RGB)
    with pytest.raises(photo.PhotoError, match="No space left on device.*disk"):
        photo.save(p, path)
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_files_that_are_no_photo_are_one_sentence(tmp_path):
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.jpg").write_text("hello")
    assert "is a folder" in refusal(tmp_path)
    assert "There is no" in refusal(tmp_path / "none.png")
    assert "empty.png is empty" in refusal(tmp_path / "empty.png")
    assert "text.jpg is not a picture" in refusal(tmp_path / "text.jpg")
    assert "standard input is not a picture" in refusal(io.BytesIO(b"GIF"))
    assert "float64 [2, 2] is no photo" in refusal(np.zeros((2, 2)))
    assert "no file" in refusal("/dev/null")


def test_postscript_is_not_even_looked_at():
    assert "not a picture" in refusal(encoded(Image.fromarray(RGB), "EPS"))


@pytest.mark.parametrize("format", FORMATS)
def test_a_truncated_file_is_one_sentence(format):
    content = encoded(Image.fromarray(RGB), format)
    assert "cannot be read" in refusal(content[: len(content) * 2 // 3])


@pytest.mark.parametrize("format", [*FORMATS, "GIF", "BMP", "PPM", "TGA"])
def test_damage_is_one_sentence_or_a_picture(format):
    content = encoded(Image.fromarray(RGB), format)
    rng = np.random.default_rng(0)
    for _ in range(60):
        bad = np.frombuffer(content, np.uint8).copy()
        where = rng.integers(0, min(len(bad), 400), 4)
        bad[where] = rng.integers(0, 256, 4)
        try:
            photo.open_photo(bad.tobytes())
        except photo.PhotoError as error:
            assert "\n" not in str(error)


def png(width, height):
    """A header that promises pixels, and no more."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = lambda kind, data: (
        struct.pack(">I", len(data))
        + kind
        + data
        + struct.pack(">I", zlib.crc32(kind + data))
    )
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return start + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [9_500, 12_000, 60_000])
def test_a_bomb_is_refused_before_it_goes_off(side):
    assert "more than 89 million pixels" in refusal(png(side, side))


def test_a_file_without_end_is_not_read_to_its_end(monkeypatch):
    monkeypatch.setattr(photo_file, "MOST_BYTES", 2**20)
    with open("/dev/zero", "rb") as endless:
        assert "larger than 1 MiB" in refusal(endless)
