"""What a network is asked to make small: the masks' loss, what its heads and its memory should learn, and what EF is
lost by."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from echo_rt.model import CLASSES
from echo_rt_network.unet import Output, UNet
from echo_rt_train.data import PHASES, VIEWS
from echo_rt_train.images import Item
from echo_rt_train.losses import Loss, soft_targets
from echo_rt_train.teacher import OnlookingTeacher

CAVITY = CLASSES.index("lv_cavity")
_VIEWS, _PHASES = [VIEWS.index(name) for name in ("4CH", "2CH")], [PHASES.index(name) for name in ("ED", "ES")]

STEEPER = 4.0
"""How many times as steep as drawn a border is where an area is told from it. On CAMUS that area is 0.2 to 0.3 % (ED)
and 0.6 to 0.8 % (ES) larger than what the runtime's contour encloses, the sum of the probabilities 0.7 % and 1.3 to 1.9
%."""


class Objective(nn.Module):
    """A network and what it is judged by, in one module: several GPUs want one pass forward for each pass back.

    Args:
        network: the one that learns.
        loss: of the masks.
        jitter: weight of the unsteadiness of the cavity's area, see `unsteadiness`; for clips.
        mirror: weight of how far the masks of an item and of its mirror image are apart, see `disagreement`. Twice the
            work.
        phase_bias: weight of the mean error of the cavity's volume at ED and at ES, see `PhaseBias`.
        teacher: has its share of what the masks should be.
    """

    def __init__(
        self,
        network: UNet,
        loss: Loss,
        jitter: float = 0.0,
        mirror: float = 0.0,
        phase_bias: float = 0.0,
        teacher: OnlookingTeacher | None = None,
    ) -> None:
        super().__init__()
        self.teacher = teacher
        self.network, self.loss, self.jitter, self.mirror, self.phase_bias = network, loss, jitter, mirror, phase_bias
        self.bias = PhaseBias()

    def forward(self, item: Item) -> dict[str, Tensor]:
        """The parts of the sum, by name.

        Args:
            item: a batch, its grey levels normalised. The frames of a clip are shown one after the other, the state
                handed on.
        """
        if self.mirror:
            item = with_mirror_images(item)
        parts: dict[str, list[Tensor]] = {}
        areas: list[Tensor] = []
        volumes: list[Tensor] = []
        state: dict[str, Tensor] | None = None
        for t in range(item.grey.shape[1]):
            image = item.grey[:, t].contiguous(memory_format=torch.channels_last)
            output: Output = self.network(image, state)
            state = output.state
            logits, target = output.logits.float(), soft_targets(item.covered[:, t])
            probability = logits.softmax(1)
            parts.setdefault("masks", []).append(
                self.loss(logits, target if self.teacher is None else self.teacher(image, target), item.known)
            )
            if "view" in output.heads:
                parts.setdefault("view", []).append(
                    nn.functional.cross_entropy(output.heads["view"].float(), item.view)
                )
            if "confidence" in output.heads:
                parts.setdefault("confidence", []).append(
                    confidence_loss(output.heads["confidence"].float()[:, 0], logits, target)
                )
            if self.mirror:
                parts.setdefault("mirror", []).append(self.mirror * disagreement(probability, item.known))
            if self.jitter or self.phase_bias:
                found, true = inside(probability[:, CAVITY]), target[:, CAVITY]
                areas.append(torch.stack([found.sum((1, 2)), true.sum((1, 2))]))
            if self.phase_bias:
                volumes.append(torch.stack(disk_volumes(found, true)))
        mean = {name: torch.stack(values).mean() for name, values in parts.items()}
        if self.jitter and len(areas) > 1:
            mean["jitter"] = self.jitter * unsteadiness(*torch.stack(areas, dim=-1))
        if self.phase_bias:
            mean["phase_bias"] = self.phase_bias * self.bias(*torch.stack(volumes, dim=-1).mean(-1), item)
        return mean


def with_mirror_images(item: Item) -> Item:
    """A batch of twice as many items: those there are, then the mirror image of each."""
    mirrored = item._replace(grey=item.grey.flip(-1), covered=item.covered.flip(-1))
    return Item(*(torch.cat(both) for both in zip(item, mirrored, strict=True)))


def inside(probability: Tensor) -> Tensor:
    """Which pixels the contour at one half encloses, smooth enough to learn by; (N, h, w) as the probability is.

    Not the probability itself: a border in doubt is blurred, which leaves the sum as it is and draws the contour
    inwards wherever the border is convex, the further the smaller the cavity.
    """
    return torch.sigmoid(STEEPER * torch.logit(probability, 1e-6))


def disk_volumes(found: Tensor, true: Tensor) -> tuple[Tensor, Tensor]:
    """Volumes by the method of disks (Lang et al., J Am Soc Echocardiogr 28:1-39, 2015), both across the main axis of
    the true cavity.

    EF is made of volumes, and an area does not tell them: a cavity of the right area that is too short has too large a
    volume.

    Args:
        found, true: (N, h, w) share of each pixel that is inside.

    Returns:
        (N,) each, in cubic pixels of the grid.
    """
    height, width = true.shape[1:]
    y, x = (torch.arange(size, dtype=true.dtype, device=true.device) - (size - 1) / 2 for size in (height, width))
    mass = true.sum((1, 2)).clamp(min=1e-6)
    moment = [(true * by).sum((1, 2)) / mass for by in (x, y[:, None], x * x, x * y[:, None], (y * y)[:, None])]
    mean_x, mean_y, xx, xy, yy = moment
    angle = 0.5 * torch.atan2(2 * (xy - mean_x * mean_y), (xx - mean_x**2) - (yy - mean_y**2))
    # Along the axis from the middle of the image, in disks one pixel thick: a pixel belongs to the two nearest in part.
    reach = (height + width) // 2
    along = angle.cos()[:, None, None] * x + angle.sin()[:, None, None] * y[:, None] + reach
    disk = along.floor()
    part = along - disk
    index = disk.long().clamp(0, 2 * reach - 1).flatten(1)

    def volume(of: Tensor) -> Tensor:
        empty = of.new_zeros(len(of), 2 * reach + 1)
        chord = empty.scatter_add(1, index, (of * (1 - part)).flatten(1)).scatter_add(
            1, index + 1, (of * part).flatten(1)
        )
        return torch.pi / 4 * chord.square().sum(1)

    return volume(found), volume(true)


def disagreement(probability: Tensor, known: Tensor) -> Tensor:
    """Squared difference between what is said of an image and of its mirror image, summed over the classes, mean over
    the pixels.

    To mirror half of the training images teaches a network both displays, and still leaves it an error of its own in
    each of them. The measure is that of Tarvainen and Valpola (arXiv 1703.01780) for two views of one image.

    Args:
        probability: (2N, C, h, w), as `with_mirror_images` puts them.
        known: (2N, C), as in `Item`; what nobody traced teaches the masks nothing.
    """
    there, mirrored = probability.chunk(2)
    each = (there - mirrored.flip(-1)).square().sum(1).mean((1, 2))
    traced = (known.chunk(2)[0][:, 1:].sum(1) > 0).to(each.dtype)
    return (each * traced).sum() / traced.sum().clamp(min=1)


class PhaseBias(nn.Module):
    """The mean error of the cavity's volume at ED and at ES, of each view of the data set and of what is mixed into it
    by itself.

    Where an image leaves a border in doubt the best mask lies towards the mean of all that it could be: a large cavity
    is drawn too small and a small one too large, the more so the worse the picture. A single mask is the better for it,
    and every EF the lower. Here the mean
    over the images of a phase is held at nothing, not the error of each: a running mean, since that of one batch is
    mostly chance. What is returned has the gradient of half the square of that mean.
    """

    KEPT = 0.9
    """Of the running mean at each batch: it is that of the last ten or so. A longer one lags behind, and the bias
    swings."""

    MOST = 0.5
    """Largest error of a volume, as a share of it: a ventricle that was not found at all says nothing of phases."""

    def __init__(self) -> None:
        super().__init__()
        # By origin, view and phase. No part of the weights: it is found anew within an epoch.
        self.register_buffer("running", torch.zeros(2, len(_VIEWS), len(_PHASES)), persistent=False)
        self.running: Tensor

    def forward(self, found: Tensor, true: Tensor, item: Item) -> Tensor:
        """The term, the sum over origins, views and phases.

        Args:
            found, true: (N,) volumes in cubic pixels.
            item: the batch they are of.
        """
        error = (found / true.clamp(min=1.0) - 1).clamp(-self.MOST, self.MOST)
        view, phase = (
            torch.stack([of == one for one in ones]) for of, ones in ((item.view, _VIEWS), (item.phase, _PHASES))
        )
        drawn = torch.stack([~item.drawn, item.drawn])
        # (origins, views, phases, N): 1 for what is of the group.
        of_group = (drawn[:, None, None] & view[:, None] & phase & (true > 1)).to(error.dtype)
        count = of_group.sum(-1)
        mean = (of_group @ error) / count.clamp(min=1.0)
        self.running = torch.where(count > 0, self.running.lerp(mean.detach(), 1 - self.KEPT), self.running)
        return (self.running * mean).sum()


def confidence_loss(confidence: Tensor, logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy of the Dice that a network expects (N,), as logits, against the soft Dice that its cavity has.

    Where there is no ventricle the Dice is 0, whatever the network draws: there is nothing to be right about.
    """
    found, true = logits.detach().softmax(1)[:, CAVITY], target[:, CAVITY]
    dice = 2 * (found * true).sum((1, 2)) / ((found**2).sum((1, 2)) + (true**2).sum((1, 2))).clamp(min=1e-6)
    return nn.functional.binary_cross_entropy_with_logits(confidence, dice.clamp(0, 1))


def unsteadiness(found: Tensor, true: Tensor) -> Tensor:
    """How much the error of an area changes from frame to frame, as a share of the mean area: 0 for a constant error,
    and for none.

    A curve that is smooth because it lags behind is no better by this measure: its error changes with the motion.

    Args:
        found, true: (N, T) areas in pixels.
    """
    error = (found - true) / true.mean(1, keepdim=True).clamp(min=1.0)
    # A clip without a ventricle has no curve to be steady.
    there = (true.mean(1) > 1).float()
    return (error.diff(dim=1).abs().mean(1) * there).sum() / there.sum().clamp(min=1)
