"""The rival in `slider bench train`: SliderGAN in PyTorch, with all that helps it.

Only a worker of its own imports this file, the one of the package that needs PyTorch.
The same networks, losses and Adam as ours, and what makes PyTorch fast: the generator
without gradients while the critic learns, the critic frozen while the generator does,
real and fake faces in one batch, both heads in one convolution, activations in place,
fused Adam, memory kept between steps. It is spared our metrics and the smoothed
players. The penalty is never compiled: PyTorch's compiler has no second derivatives.
"""

import types
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from slider_jax.bench_train import WEIGHTS, Setting, fastest


class Block(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(width, width, 3, 1, 1, bias=False),
            nn.InstanceNorm2d(width, affine=True),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, 1, 1, bias=False),
            nn.InstanceNorm2d(width, affine=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.main(x)


class Generator(nn.Module):
    """`main` is named as GANimation's; `heads` is colour and mask together."""

    def __init__(self, setting: Setting):
        super().__init__()
        width, channels = setting.width, 3 + setting.parameters
        layers = _layer(nn.Conv2d(channels, width, 7, 1, 3, bias=False))
        for _ in range(2):
            layers += _layer(nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False))
            width *= 2
        layers += [Block(width) for _ in range(setting.blocks)]
        for _ in range(2):
            layers += _layer(nn.ConvTranspose2d(width, width // 2, 4, 2, 1, bias=False))
            width //= 2
        self.main = nn.Sequential(*layers)
        self.heads = nn.Conv2d(width, 4, 7, 1, 3, bias=False)

    def forward(self, image: Tensor, expression: Tensor) -> tuple[Tensor, ...]:
        """Edit, colour, mask."""
        tiled = expression[:, :, None, None].expand(-1, -1, *image.shape[2:])
        x = self.heads(self.main(torch.cat([image, tiled], 1))).float()
        colour, mask = torch.tanh(x[:, :3]), torch.sigmoid(x[:, 3:])
        return mask * colour + (1 - mask) * image, colour, mask


class Critic(nn.Module):
    """Under the names of StarGAN's and GANimation's.

    As ours, it has no taps that meet nothing but padding: at 64 px the last layer's
    outer ring, more than half of all weights, and the score's.
    """

    def __init__(self, setting: Setting):
        super().__init__()
        layers, channels = [], 3
        for i in range(setting.depth):
            width = setting.width << i
            ring = 0 if setting.size >> i == 2 else 1
            layers += [
                nn.Conv2d(channels, width, 2 + 2 * ring, 2, ring),
                nn.LeakyReLU(0.01, inplace=True),
            ]
            channels = width
        self.main = nn.Sequential(*layers)
        whole = setting.size >> setting.depth
        ring = 0 if whole == 1 else 1
        self.conv1 = nn.Conv2d(channels, 1, 1 + 2 * ring, 1, ring, bias=False)
        self.conv2 = nn.Conv2d(channels, setting.parameters, whole, bias=False)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Map of scores, parameters."""
        x = self.main(image)
        return self.conv1(x)[:, 0].float(), self.conv2(x)[:, :, 0, 0].float()


def _layer(convolution):
    norm = nn.InstanceNorm2d(convolution.out_channels, affine=True)
    return [convolution, norm, nn.ReLU(inplace=True)]


class Game:
    """Both players and their updates."""

    def __init__(
        self,
        setting: Setting,
        *,
        device: str = "cpu",
        compiled: bool = False,
        channels_last: bool = False,
        dtype: str = "float32",
    ):
        layout = torch.channels_last if channels_last else torch.contiguous_format
        self.generator = Generator(setting).to(device, memory_format=layout)
        self.critic = Critic(setting).to(device, memory_format=layout)
        self.edit, self.judge = self.generator, self.critic
        if compiled:
            build = lambda net: torch.compile(net, dynamic=False)
            self.edit, self.judge = build(self.generator), build(self.critic)
        self.narrow = lambda: torch.autocast(
            device, torch.bfloat16, enabled=dtype == "bfloat16"
        )
        adam = lambda net: torch.optim.Adam(
            net.parameters(), 1e-4, betas=(0.5, 0.999), fused=True
        )
        self.adam_critic, self.adam_generator = map(adam, (self.critic, self.generator))

    def critic_losses(self, batch: Any, t: Tensor) -> dict[str, Tensor]:
        """`t` [b]: where between real and fake the penalty is taken."""
        with self.narrow():
            with torch.no_grad():
                fake, _, _ = self.edit(batch.image, batch.target_expression)
            scores, expressions = self.judge(torch.cat([batch.image, fake]))
            t = t[:, None, None, None]
            between = (t * batch.image + (1 - t) * fake).requires_grad_()
            total = self.critic(between)[0].sum()
            (slope,) = torch.autograd.grad(total, between, create_graph=True)
        real, fake = scores.chunk(2)
        norm = (slope.float().square().sum((1, 2, 3)) + 1e-12).sqrt()
        return dict(
            adversarial=-_difference(real, fake),
            gradient_penalty=(norm - 1).square().mean(),
            expression=F.mse_loss(expressions.chunk(2)[0], batch.expression),
        )

    def generator_losses(self, batch: Any) -> dict[str, Tensor]:
        with self.narrow():
            fake, _, mask = self.edit(batch.image, batch.target_expression)
            back, _, back_mask = self.edit(fake, batch.expression)
            score, expression = self.judge(fake)
            with torch.no_grad():
                real, _ = self.judge(batch.image)
        return dict(
            adversarial=_difference(real, score),
            expression=F.mse_loss(expression, batch.target_expression),
            reconstruction=_distance(back, batch.image).mean(),
            paired=(batch.paired * _distance(fake, batch.target)).mean(),
            attention=mask.mean() + back_mask.mean(),
        )

    def update_critic(self, batch: Any) -> None:
        t = torch.rand(batch.image.shape[0], device=batch.image.device)
        self._learn(self.adam_critic, "critic", self.critic_losses(batch, t))

    def update_generator(self, batch: Any) -> None:
        self.critic.requires_grad_(False)
        self._learn(self.adam_generator, "generator", self.generator_losses(batch))
        self.critic.requires_grad_(True)

    def _learn(self, adam, player, losses):
        weights = WEIGHTS[player]
        total = sum(weights[name] * loss for name, loss in losses.items())
        adam.zero_grad()
        total.backward()
        adam.step()


def _difference(real, fake):
    """σ(C(x) - E C(y)) - σ(C(y) - E C(x)), the mean."""
    real, fake = real - fake.mean(), fake - real.mean()
    return torch.sigmoid(real).mean() - torch.sigmoid(fake).mean()


def _distance(a, b):
    return (a - b).abs().sum(1).mean((1, 2))


def prepare(setting: Setting, **options: Any) -> dict[str, Callable[[], None]]:
    """By name, what trains once and waits until that is done."""
    device = _device()
    torch.set_flush_denormal(True)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    torch.manual_seed(0)
    game = Game(setting, device=device, **options)
    batches = [_noise(setting, device) for _ in range(setting.n_critic)]
    if options.get("channels_last"):
        for batch in batches:
            batch.image, batch.target = (
                x.contiguous(memory_format=torch.channels_last)
                for x in (batch.image, batch.target)
            )

    def task(*updates):
        def run():
            for update, batch in updates:
                update(batch)
            if device == "cuda":
                torch.cuda.synchronize()

        return run

    critic = [(game.update_critic, batch) for batch in batches]
    generator = (game.update_generator, batches[-1])
    return {
        "round": task(*critic, generator),
        "critic": task(critic[0]),
        "generator": task(generator),
    }


def facts(setting: Setting, *, dtype: str = "float32", **_: Any) -> dict[str, Any]:
    """GFLOP/s of large matrix products."""
    device = _device()
    rows = 2048 if device == "cpu" else 8192
    matrix = torch.randn(rows, rows).to(device, getattr(torch, dtype))

    def multiply():
        matrix @ matrix
        if device == "cuda":
            torch.cuda.synchronize()

    found = dict(dtype=dtype)
    if device == "cuda":
        found["memory"] = torch.cuda.max_memory_allocated()
    return found | dict(matrix={"PyTorch": fastest(multiply, rows)})


def _device():
    return "cuda" if torch.cuda.is_available() else "cpu"


def _noise(setting, device):
    """A batch, half of the faces paired."""
    draw = lambda *shape: 2 * torch.rand(setting.batch, *shape, device=device) - 1
    image, parameters = (3, setting.size, setting.size), (setting.parameters,)
    return types.SimpleNamespace(
        image=draw(*image),
        expression=draw(*parameters),
        target=draw(*image),
        target_expression=draw(*parameters),
        paired=draw() > 0,
    )
