"""SliderGAN written again in PyTorch, to compare with: networks, losses, one round.

Images are NCHW here; weights are ours, transposed, under our names.
"""

import numpy as np
import torch
import torch.nn.functional as F
from flax import traverse_util


def to_torch(params):
    """Our tree as leaves {"enter/kernel": tensor, ...}."""
    flat = traverse_util.flatten_dict(params["params"], sep="/")
    return {name: _leaf(np.asarray(value)) for name, value in flat.items()}


def _leaf(value):
    if value.ndim == 4:
        value = value.transpose(3, 2, 0, 1)
    return torch.tensor(np.ascontiguousarray(value), requires_grad=True)


def to_ours(leaves):
    """Back again, as NumPy."""
    values = {name: leaf.detach().numpy() for name, leaf in leaves.items()}
    turn = lambda x: x.transpose(2, 3, 1, 0) if x.ndim == 4 else x
    flat = {name: turn(value) for name, value in values.items()}
    return {"params": traverse_util.unflatten_dict(flat, sep="/")}


def _norm(p, name, x):
    return F.instance_norm(
        x, weight=p[f"{name}/scale"], bias=p[f"{name}/offset"], eps=1e-5
    )


def generator(p, image, condition, *, blocks, down=2):
    """Colour and mask."""
    tiled = condition[:, :, None, None].expand(-1, -1, *image.shape[2:])
    x = F.conv2d(torch.cat([image, tiled], 1), p["enter/kernel"], padding=3)
    x = F.relu(_norm(p, "enter_norm", x))
    for i in range(down):
        x = F.conv2d(x, p[f"down_{i}/kernel"], stride=2, padding=1)
        x = F.relu(_norm(p, f"down_{i}_norm", x))
    for i in range(blocks):
        y = F.conv2d(x, p[f"block_{i}/first/kernel"], padding=1)
        y = F.relu(_norm(p, f"block_{i}/first_norm", y))
        y = F.conv2d(y, p[f"block_{i}/second/kernel"], padding=1)
        x = x + _norm(p, f"block_{i}/second_norm", y)
    for i in range(down):
        x = F.conv_transpose2d(x, p[f"up_{i}/kernel"], stride=2, padding=1)
        x = F.relu(_norm(p, f"up_{i}_norm", x))
    colour = torch.tanh(F.conv2d(x, p["heads/colour"], padding=3))
    return colour, torch.sigmoid(F.conv2d(x, p["heads/mask"], padding=3))


def critic(p, x, *, depth):
    """Map of scores, parameters."""
    for i in range(depth):
        x = F.conv2d(x, p[f"down_{i}/kernel"], p[f"down_{i}/bias"], 2, 1)
        x = F.leaky_relu(x, 0.01)
    score = F.conv2d(x, p["score/kernel"], padding=1)[:, 0]
    return score, F.conv2d(x, p["parameters/kernel"])[:, :, 0, 0]


class Twin:
    """`ra_expectation` with a penalty at interpolates; Adam for both players."""

    def __init__(self, params, model, weights, rate):
        self.generator = to_torch(params["generator"])
        self.critic = to_torch(params["critic"])
        self.model, self.weights = model, weights
        adam = lambda p: torch.optim.Adam(p.values(), rate, betas=(0.5, 0.999))
        self.adam_g, self.adam_d = adam(self.generator), adam(self.critic)

    def edit(self, image, expression):
        blocks = self.model["blocks"]
        colour, mask = generator(self.generator, image, expression, blocks=blocks)
        return mask * colour + (1 - mask) * image, colour, mask

    def judge(self, image):
        return critic(self.critic, image, depth=self.model["depth"])

    def critic_update(self, b, t):
        """`t` [b]: where between real and fake the penalty is taken."""
        with torch.no_grad():
            fake, *_ = self.edit(b.image, b.target_expression)
        real_score, expression = self.judge(b.image)
        fake_score, _ = self.judge(fake)
        t = t[:, None, None, None]
        between = (t * b.image + (1 - t) * fake).requires_grad_()
        score = self.judge(between)[0].sum()
        (slope,) = torch.autograd.grad(score, between, create_graph=True)
        norm = (slope.square().sum((1, 2, 3)) + 1e-12).sqrt()
        return self._update(
            self.adam_d,
            "critic",
            adversarial=-_difference(real_score, fake_score),
            gradient_penalty=(norm - 1).square().mean(),
            expression=F.mse_loss(expression, b.expression),
            score_gap=real_score.mean() - fake_score.mean(),
        )

    def generator_update(self, b):
        fake, colour, mask = self.edit(b.image, b.target_expression)
        back, _, back_mask = self.edit(fake, b.expression)
        fake_score, expression = self.judge(fake)
        with torch.no_grad():
            real_score, _ = self.judge(b.image)
        l1 = lambda x, y: 3 * (x - y).abs().mean((1, 2, 3))
        entropy = F.binary_cross_entropy(mask, mask) / np.log(2)
        return self._update(
            self.adam_g,
            "generator",
            adversarial=_difference(real_score, fake_score),
            expression=F.mse_loss(expression, b.target_expression),
            reconstruction=l1(back, b.image).mean(),
            paired=(b.paired * l1(fake, b.target)).mean(),
            colour=(b.paired * l1(colour, b.target)).mean(),
            attention=mask.mean() + back_mask.mean(),
            mask_entropy=entropy.detach(),
        )

    def _update(self, adam, player, **losses):
        total = sum(w * losses[name] for name, w in self.weights[player].items())
        adam.zero_grad()
        total.backward()
        adam.step()
        leaves = [p.grad for group in adam.param_groups for p in group["params"]]
        losses["gradient_norm"] = torch.cat([g.flatten() for g in leaves]).norm()
        losses["total"] = total
        return {f"{player}/{k}": float(v.detach()) for k, v in losses.items()}


def _difference(real, fake):
    relative = torch.sigmoid(real - fake.mean()), torch.sigmoid(fake - real.mean())
    return relative[0].mean() - relative[1].mean()
