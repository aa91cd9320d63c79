"""Whoever edits faces, at the size of the set's pictures."""

import numpy as np
import small_editor

from slider_jax.evaluate import contenders


def test_a_model_of_another_size_changes_pictures_and_keeps_their_detail():
    """At 32 pixels a chequerboard of 64 is grey; shades that are coarse stay."""
    small = contenders.contender("small", small_editor.model())
    y, x = np.mgrid[:64, :64]
    shade = 0.4 * np.sin(np.stack([x / 9, y / 11, (x + y) / 15], -1))[None]
    shade = np.float32(shade)
    board = np.float32(0.2 * (-1.0) ** (x + y))[None, ..., None]
    vector = np.linspace(-1, 1, 30, dtype=np.float32)[None]
    plain, fine = (small.edit(image, vector) for image in (shade, shade + board))
    inside = (np.abs(plain) < 0.75).all(-1)
    assert inside.mean() > 0.5 and np.abs(plain - shade).mean() > 0.02
    np.testing.assert_allclose((fine - plain - board)[inside], 0, atol=0.02)
    halved = lambda image: image.reshape(1, 32, 2, 32, 2, 3).mean((2, 4))
    native = small.edit(halved(shade), vector)
    assert np.corrcoef(halved(plain).ravel(), native.ravel())[0, 1] > 0.95
    read = [small.read(image) for image in (shade, shade + board, halved(shade))]
    np.testing.assert_allclose(read[1], read[0], atol=1e-3)
    np.testing.assert_allclose(read[2], read[0], atol=0.02)
