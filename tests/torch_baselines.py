"""GANimation and StarGAN as their authors train them, in PyTorch, weights and all.

Terms come weighted, under our names; batches are ours, with images as [b 3 h w].
"""

import torch
import torch.nn.functional as F
import torch_twins

BETAS = (0.5, 0.999)


class Twin:
    """Both players, and Adam for both. `kinds` are names of torch_weights."""

    def __init__(self, conditions, *, size, width, blocks, depth, rate):
        make = torch_twins.scrambled
        self.generator = make(self.make_generator(conditions, width, blocks))
        self.critic = make(torch_twins.Critic(conditions, width, depth, size), 1)
        self.adam = {
            player: torch.optim.Adam(getattr(self, player).parameters(), rate, BETAS)
            for player in ("critic", "generator")
        }

    def update(self, player, *inputs):
        terms = getattr(self, f"{player}_terms")(*inputs)
        self.adam[player].zero_grad()
        sum(terms.values()).backward()
        self.adam[player].step()
        return {name: float(term.detach()) for name, term in terms.items()}

    def penalty(self, real, fake, t):
        t = t[:, None, None, None]
        between = (t * real + (1 - t) * fake).requires_grad_()
        score, _ = self.critic(between)
        (slope,) = torch.autograd.grad(
            score, between, torch.ones_like(score), create_graph=True
        )
        norm = slope.flatten(1).square().sum(1).sqrt()
        return 10 * (norm - 1).square().mean()

    def critic_terms(self, b, t):
        real_score, real_condition = self.critic(b.image)
        with torch.no_grad():
            fake = self.edit(b.image, b.target_expression)[0]
        fake_score, _ = self.critic(fake)
        return {
            "adversarial": fake_score.mean() - real_score.mean(),
            "gradient_penalty": self.penalty(b.image, fake, t),
            self.condition: self.judge(real_condition, b.expression),
        }


class Ganimation(Twin):
    kinds = dict(generator="ganimation-generator", critic="ganimation-critic")
    make_generator = staticmethod(torch_twins.GanimationGenerator)
    condition = "expression"

    def edit(self, image, condition):
        """And what is new in it: their mask is 1 where the photo stays."""
        colour, mask = self.generator(image, condition)
        return mask * image + (1 - mask) * colour, 1 - mask

    def judge(self, found, wanted):
        return 4000 * F.mse_loss(found, wanted) / len(found)

    def generator_terms(self, b):
        fake, new = self.edit(b.image, b.target_expression)
        back, back_new = self.edit(fake, b.expression)
        mask, back_mask = 1 - new, 1 - back_new
        score, condition = self.critic(fake)
        smooth = lambda m: (
            (m[:, :, :, :-1] - m[:, :, :, 1:]).abs().sum()
            + (m[:, :, :-1, :] - m[:, :, 1:, :]).abs().sum()
        )
        return dict(
            adversarial=-score.mean(),
            expression=self.judge(condition, b.target_expression),
            reconstruction=10 * F.l1_loss(back, b.image),
            kept=0.1 * (mask.mean() + back_mask.mean()),
            roughness=1e-5 * (smooth(mask) + smooth(back_mask)),
        )

    @staticmethod
    def weights(batch):
        """What ours must weigh to be the same."""
        condition = 4000 / batch
        return {
            "critic": dict(
                adversarial=1.0, gradient_penalty=10.0, expression=condition
            ),
            "generator": dict(
                adversarial=1.0,
                expression=condition,
                reconstruction=10 / 3,
                kept=0.1,
                roughness=1e-5 * batch,
            ),
        }


class Stargan(Twin):
    kinds = dict(generator="stargan-generator", critic="stargan-critic")
    make_generator = staticmethod(torch_twins.StarganGenerator)
    condition = "classification"

    def edit(self, image, condition):
        return self.generator(image, condition), torch.ones_like(image[:, :1])

    def judge(self, found, wanted):
        return F.cross_entropy(found, wanted.argmax(1))

    def generator_terms(self, b):
        fake, _ = self.edit(b.image, b.target_expression)
        back, _ = self.edit(fake, b.expression)
        score, classes = self.critic(fake)
        return dict(
            adversarial=-score.mean(),
            classification=self.judge(classes, b.target_expression),
            reconstruction=10 * (b.image - back).abs().mean(),
        )

    @staticmethod
    def weights(batch):
        return {
            "critic": dict(adversarial=1.0, gradient_penalty=10.0, classification=1.0),
            "generator": dict(
                adversarial=1.0, classification=1.0, reconstruction=10 / 3
            ),
        }
