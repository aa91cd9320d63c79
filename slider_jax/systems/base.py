"""What a system is: the contract between a paper and the training loop."""

from typing import Any, Protocol, runtime_checkable

from jaxtyping import Array, Float, Key

from slider_jax.batch import Batch
from slider_jax.losses import BatchMean

Params = dict[str, Any]  # {"critic": ..., "generator": ..., frozen helpers}
Losses = dict[str, Float[Array, "b"]]  # name -> one value per example


@runtime_checkable
class System(Protocol):
    """A GAN that edits expressions. Everything here is pure.

    Losses come back unweighted and per example: the config owns the weights and
    the training step owns the mean, so neither can hide inside a paper's file. A loss
    that looks at the whole batch asks `batch_mean`, which knows all devices.

    A critic that can learn from true faces alone, while the generator rests, has
    `reading_losses` too, with the arguments of `critic_losses`. Where the generator has
    more to learn from while the critic rests, that is in `painting_losses`, beside all
    of `generator_losses`.
    """

    def init(self, key: Key[Array, ""], batch: Batch) -> Params:
        """Parameters of both players for batches shaped like `batch`.

        The losses may also find frozen helpers in `params`, such as "identity".
        """

    def critic_losses(
        self, params: Params, batch: Batch, keys: Key[Array, "b"], batch_mean: BatchMean
    ) -> Losses:
        """What the critic minimises."""

    def generator_losses(
        self, params: Params, batch: Batch, keys: Key[Array, "b"], batch_mean: BatchMean
    ) -> Losses:
        """What the generator minimises."""

    def edit(
        self,
        generator: Any,
        image: Float[Array, "b h w 3"],
        expression: Float[Array, "b k"],
    ) -> Float[Array, "b h w 3"]:
        """`image` wearing `expression`."""

    def paint(
        self,
        generator: Any,
        image: Float[Array, "b h w 3"],
        expression: Float[Array, "b k"],
    ) -> tuple[
        Float[Array, "b h w 3"], Float[Array, "b h w 1"], Float[Array, "b h w 2"]
    ]:
        """`edit`, how much of each pixel is new (0 to 1), and from how far away the
        photo shows in what is new: (x, y), in sides of the picture."""
