"""The networks of StarGAN and GANimation in PyTorch, under their public names."""

import numpy as np
import torch
from torch import nn


def _norm(channels, tracked):
    return nn.InstanceNorm2d(channels, affine=True, track_running_stats=tracked)


class Block(nn.Module):
    def __init__(self, width, tracked):
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(width, width, 3, 1, 1, bias=False),
            _norm(width, tracked),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, 1, 1, bias=False),
            _norm(width, tracked),
        )

    def forward(self, x):
        return x + self.main(x)


def _trunk(conditions, width, blocks, down, tracked):
    layers = [
        nn.Conv2d(3 + conditions, width, 7, 1, 3, bias=False),
        _norm(width, tracked),
        nn.ReLU(),
    ]
    for _ in range(down):
        layers += [
            nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False),
            _norm(2 * width, tracked),
            nn.ReLU(),
        ]
        width *= 2
    layers += [Block(width, tracked) for _ in range(blocks)]
    for _ in range(down):
        layers += [
            nn.ConvTranspose2d(width, width // 2, 4, 2, 1, bias=False),
            _norm(width // 2, tracked),
            nn.ReLU(),
        ]
        width //= 2
    return layers


def _tiled(x, condition):
    condition = condition[:, :, None, None].expand(-1, -1, *x.shape[2:])
    return torch.cat([x, condition], 1)


class StarganGenerator(nn.Module):
    def __init__(self, conditions, width, blocks, down=2):
        super().__init__()
        layers = _trunk(conditions, width, blocks, down, tracked=True)
        layers += [nn.Conv2d(width, 3, 7, 1, 3, bias=False), nn.Tanh()]
        self.main = nn.Sequential(*layers)

    def forward(self, x, condition):
        return self.main(_tiled(x, condition))


class GanimationGenerator(nn.Module):
    """Its mask is 1 where the photo stays."""

    def __init__(self, conditions, width, blocks, down=2):
        super().__init__()
        self.main = nn.Sequential(*_trunk(conditions, width, blocks, down, False))
        self.img_reg = nn.Sequential(
            nn.Conv2d(width, 3, 7, 1, 3, bias=False), nn.Tanh()
        )
        self.attetion_reg = nn.Sequential(
            nn.Conv2d(width, 1, 7, 1, 3, bias=False), nn.Sigmoid()
        )

    def forward(self, x, condition):
        x = self.main(_tiled(x, condition))
        return self.img_reg(x), self.attetion_reg(x)


class Critic(nn.Module):
    """Both repositories have the same one."""

    def __init__(self, parameters, width, depth, size):
        super().__init__()
        layers, channels = [], 3
        for i in range(depth):
            layers += [nn.Conv2d(channels, width << i, 4, 2, 1), nn.LeakyReLU(0.01)]
            channels = width << i
        self.main = nn.Sequential(*layers)
        self.conv1 = nn.Conv2d(channels, 1, 3, 1, 1, bias=False)
        self.conv2 = nn.Conv2d(channels, parameters, size >> depth, bias=False)

    def forward(self, x):
        x = self.main(x)
        return self.conv1(x)[:, 0], self.conv2(x)[:, :, 0, 0]


def state(network):
    """The state dict in NumPy."""
    return {name: tensor.numpy() for name, tensor in network.state_dict().items()}


def scrambled(network, seed=0):
    """Every parameter random, norms and biases too: nothing hides behind 0 and 1."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            fan_in = max(1, parameter[0].numel()) if parameter.ndim > 1 else 4
            parameter.normal_(0, fan_in**-0.5, generator=generator)
    return network


def to_torch(image):
    return torch.tensor(np.moveaxis(np.asarray(image), -1, 1).copy())


def from_torch(tensor):
    return np.moveaxis(tensor.detach().numpy(), 1, -1)
