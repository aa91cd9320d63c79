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


def generator(p, image, condition, *, blocks, down=2, tint=1.0):
    """Colour, mask and the photo as the colours find it."""
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
    head = lambda name: F.conv2d(x, p[f"heads/{name}"], padding=3)
    mask = torch.sigmoid(head("mask"))
    colour, base, cover = torch.tanh(head("colour")), image, torch.zeros_like(mask)
    if "heads/flow" in p:
        base = moved(image, torch.tanh(head("flow")) / 4)
        cover = torch.sigmoid(head("cover") - 4)
        colour = colour * torch.lerp(torch.tensor(tint), torch.tensor(1.0), cover)
        colour = ((1 - cover) * base + colour).clip(-1, 1)
    return colour, mask, base, cover


def moved(image, flow):
    """`flow` in sides of the picture; to PyTorch it is 2 from centre to centre."""
    h, w = image.shape[2:]
    lines = torch.linspace(-1, 1, h), torch.linspace(-1, 1, w)
    y, x = torch.meshgrid(*lines, indexing="ij")
    step = flow * torch.tensor([2 * w / (w - 1), 2 * h / (h - 1)])[:, None, None]
    places = torch.stack([x, y])[None] + step
    how = dict(padding_mode="border", align_corners=True)
    return F.grid_sample(image, places.permute(0, 2, 3, 1), **how)


def critic(p, x, *, depth, seen=None):
    """Map of scores, parameters; the features of each layer go into `seen`."""
    for i in range(depth):
        x = F.conv2d(x, p[f"down_{i}/kernel"], p[f"down_{i}/bias"], 2, 1)
        x = F.leaky_relu(x, 0.01)
        if seen is not None:
            seen.append(x)
    score = F.conv2d(x, p["score/kernel"], padding=1)[:, 0]
    return score, F.conv2d(x, p["parameters/kernel"])[:, :, 0, 0]


def patchgan70(p, x, seen=None):
    """The critic of pix2pix without its norms; parameters from the mean feature."""
    for i, stride in enumerate((2, 2, 2, 1)):
        x = F.conv2d(x, p[f"layer_{i}/kernel"], p[f"layer_{i}/bias"], stride, 1)
        x = F.leaky_relu(x, 0.2)
        if seen is not None:
            seen.append(x)
    score = F.conv2d(x, p["score/kernel"], p["score/bias"], padding=1)[:, 0]
    head = p["parameters/kernel"][:, :, 0, 0]
    return score, F.linear(x.mean((2, 3)), head, p["parameters/bias"])


def game(mode, real, fake, over=(0, 1, 2)):
    """Losses of critic and generator; means of scores run over these axes."""
    mean = lambda x: x.mean(over, keepdim=True)
    r, f = real - mean(fake), fake - mean(real)
    bce = F.binary_cross_entropy_with_logits
    one, zero = torch.ones_like(r), torch.zeros_like(r)
    if mode == "rasgan":
        return (
            (bce(r, one) + bce(f, zero)) / 2,
            (bce(r, zero) + bce(f, one)) / 2,
        )
    if mode == "ralsgan":
        return (
            (F.mse_loss(r, one) + F.mse_loss(f, -one)) / 2,
            (F.mse_loss(r, -one) + F.mse_loss(f, one)) / 2,
        )
    if mode == "wgan_gp":
        return fake.mean() - real.mean(), -fake.mean()
    difference = torch.sigmoid(r).mean() - torch.sigmoid(f).mean()
    return -difference, difference


class Twin:
    """Losses of both players, and Adam for both; `model` has System's names.

    `recogniser` is the frozen network of the identity loss, if there is one.
    """

    def __init__(self, params, model, weights, rate, recogniser=None):
        self.recogniser = recogniser
        self.generator = to_torch(params["generator"])
        self.critic = to_torch(params["critic"])
        self.model, self.weights = model, weights
        adam = lambda p: torch.optim.Adam(p.values(), rate, betas=(0.5, 0.999))
        self.adam_g, self.adam_d = adam(self.generator), adam(self.critic)

    def edit(self, image, expression):
        how = dict(blocks=self.model["blocks"], tint=self.model.get("tint", 1.0))
        made = generator(self.generator, image, expression, **how)
        colour, mask, *_ = made
        return mask * colour + (1 - mask) * image, *made

    def judge(self, image, seen=None):
        if self.model.get("critic_kind") == "patchgan70":
            score, expression = patchgan70(self.critic, image, seen)
        else:
            depth = self.model["depth"]
            score, expression = critic(self.critic, image, depth=depth, seen=seen)
        bounded = self.model.get("bounded")
        return score, torch.tanh(expression) if bounded else expression

    def play(self, real, fake):
        mode = self.model.get("adversarial", "ra_expectation")
        alone = self.model.get("relative_to") == "position"
        return game(mode, real, fake, over=(0,) if alone else (0, 1, 2))

    def penalty(self, points):
        points = points.clone().requires_grad_()
        score, _ = self.judge(points)
        if self.model.get("penalty_on") == "sigma":
            score = torch.sigmoid(score)
        (slope,) = torch.autograd.grad(score.sum(), points, create_graph=True)
        norm = (slope.square().sum((1, 2, 3)) + 1e-12).sqrt()
        return (norm - 1).square().mean()

    def critic_losses(self, b, t):
        """`t` [b]: where between real and fake the penalty is taken."""
        with torch.no_grad():
            fake, *_ = self.edit(b.image, b.target_expression)
        real_score, expression = self.judge(b.image)
        fake_score, _ = self.judge(fake)
        t = t[:, None, None, None]
        points = {
            "interpolates": [t * b.image + (1 - t) * fake],
            "fake": [fake],
            "real": [b.image],
            "both": [b.image, fake],
        }[self.model.get("penalty_at", "interpolates")]
        return dict(
            adversarial=self.play(real_score, fake_score)[0],
            gradient_penalty=sum(map(self.penalty, points)) / len(points),
            expression=F.mse_loss(expression, b.expression),
            score_gap=real_score.mean() - fake_score.mean(),
        )

    def generator_losses(self, b):
        fake, colour, mask, base, cover = self.edit(b.image, b.target_expression)
        back, _, back_mask, *_ = self.edit(fake, b.expression)
        fake_score, expression = self.judge(fake)
        with torch.no_grad():
            real_score, _ = self.judge(b.image)
        power = {"absolute": 1, "squared": 2}[self.model.get("distance", "absolute")]
        far = lambda x, y: 3 * ((x - y).abs() ** power).mean((1, 2, 3))
        entropy = F.binary_cross_entropy(mask, mask) / np.log(2)
        terms = {}
        if self.recogniser:
            alike = F.cosine_similarity(self.recogniser(fake), self.recogniser(b.image))
            terms["identity"] = 1 - alike.mean()
        return terms | dict(
            adversarial=self.play(real_score, fake_score)[1],
            expression=F.mse_loss(expression, b.target_expression),
            reconstruction=far(back, b.image).mean(),
            paired=(b.paired * far(fake, b.target)).mean(),
            colour=(b.paired * far(colour, b.target)).mean(),
            moved=(b.paired * far((1 - cover.detach()) * (base - b.target), 0)).mean(),
            attention=mask.mean() + back_mask.mean(),
            mask=mask.mean(),
            mask_entropy=entropy.detach(),
        )

    def painting_losses(self, b):
        fake, _, mask, base, cover = self.edit(b.image, b.target_expression)
        blur = lambda x, side: F.avg_pool2d(x - b.target, side, 1, side // 2)
        differs = lambda x, side: blur(x, side).abs().sum(1, keepdim=True)
        wrong = (differs(base, 5) > 0.7).float()
        shown = torch.minimum(differs(b.image, 3), differs(base, 3)) > 0.45
        shown = F.max_pool2d(shown.float(), 7, 1, 3)
        cover = cover.clip(1e-6, 1 - 1e-6)
        crossed = F.binary_cross_entropy(cover, wrong, reduction="none")
        crossed = crossed * torch.maximum(wrong, 1 - shown)
        covered = (b.paired * crossed.mean((1, 2, 3))).mean()
        revealed = (
            b.paired * 3 * (shown * (fake - b.target)).abs().mean((1, 2, 3))
        ).mean()
        ours, truths = [], []
        self.judge(fake, ours)
        self.judge(b.target, truths)
        size = lambda x: x.abs().sum((1, 2, 3))
        shares = [size(f - g) / size(g) for f, g in zip(ours, truths, strict=True)]
        likeness = (b.paired * torch.stack(shares).mean(0)).mean()
        steps = lambda axis: 3 * (fake - b.target).diff(dim=axis).abs().mean((1, 2, 3))
        edges = (b.paired * (steps(2) + steps(3))).mean()
        watched = dict(likeness=likeness, cover=covered, edges=edges)
        return self.generator_losses(b) | watched | dict(revealed=revealed)

    def critic_update(self, b, t):
        return self._update(self.adam_d, "critic", self.critic_losses(b, t))

    def generator_update(self, b):
        return self._update(self.adam_g, "generator", self.generator_losses(b))

    def _update(self, adam, player, losses):
        total = sum(w * losses[name] for name, w in self.weights[player].items())
        adam.zero_grad()
        total.backward()
        adam.step()
        leaves = [p.grad for group in adam.param_groups for p in group["params"]]
        losses["gradient_norm"] = torch.cat([g.flatten() for g in leaves]).norm()
        losses["total"] = total
        return {f"{player}/{k}": float(v.detach()) for k, v in losses.items()}
