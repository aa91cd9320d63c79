"""A square of the aligned crop, seen closely: where mouths and eyes are drawn."""

import dataclasses

import numpy as np
from jaxtyping import Float, UInt8

from slider_jax import patch, photo
from slider_jax.patch import Frame

SIZE = 128  # of a window, in its pixels


@dataclasses.dataclass(frozen=True, eq=False)
class Window:
    """`side` and `middle` are in sides of the crop; the frame takes pixels of the
    picture that is looked at (`flipped`, or not) to the window's."""

    side: float
    middle: Float[np.ndarray, "2"]
    frame: Frame
    flipped: bool

    def see(self, pixels: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "128 128 3"]:
        """What of a photo lies there."""
        return patch.cut(photo.looked_at(pixels, self.flipped), self.frame, SIZE)

    def part(
        self, picture: Float[np.ndarray, "size size c"]
    ) -> Float[np.ndarray, "128 128 c"]:
        """The same of what is as large as the crop."""
        places = (np.arange(SIZE) + 0.5) / SIZE - 0.5
        x, y = (len(picture) * (self.side * places + m) - 0.5 for m in self.middle)
        return patch.look(picture, *np.meshgrid(x, y))

    def places(self, points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
        """From sides of the crop to pixels."""
        return SIZE * ((points - self.middle) / self.side + 0.5)

    def paste(
        self,
        edited: photo.Photo,
        before: UInt8[np.ndarray, "128 128 3"],
        after: Float[np.ndarray, "128 128 3"],
        mask: Float[np.ndarray, "128 128 1"],
    ) -> tuple[photo.Photo, UInt8[np.ndarray, "h w"]]:
        """As photo.paste, with `after` in levels of 255 and nothing that moves."""
        after = (after / 127.5 - 1).clip(-1, 1).astype(np.float32)
        still = np.zeros((SIZE, SIZE, 2), np.float32)
        return photo.paste(edited, self.frame, before, after, mask, still, self.flipped)


def window(
    frame: Frame, size: int, side: float, middle: Float[np.ndarray, "2"], flipped: bool
) -> Window:
    """About the middle, in a crop `size` pixels wide to which the frame takes."""
    closer = frame * (SIZE / (side * size))
    closer[:, 2] += SIZE * (0.5 - middle / side)
    return Window(side, middle, closer, flipped)
