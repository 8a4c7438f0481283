# SPDX-License-Identifier: Apache-2.0
"""Random distortions of grey images, whole batches at a time.

They act before the pixel threshold, so that the network sees the bits that a distorted image
would really give.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Distortion:
    """How far an image may be distorted, as it suits digits; every amount is drawn per image."""

    degrees: float = 10.0  # rotation, uniform in +-degrees
    scale: float = 0.10  # zoom per axis, uniform in 1 +- scale
    shear: float = 0.15  # horizontal shear, uniform in +-shear
    shift: float = 2.0  # translation per axis in pixels, uniform in +-shift
    elastic: float = 0.6  # standard deviation of the elastic displacement, in pixels
    elastic_knots: int = 6  # the displacement is smooth: knots per axis of its random field
    mirrored: bool = False  # half of the images, left to right

    @property
    def moves(self) -> bool:
        """Whether any pixel can change."""
        return self.mirrored or self._warps or self.shift != 0

    @property
    def _warps(self) -> bool:
        """Whether pixels land between others."""
        return any((self.degrees, self.scale, self.shear, self.elastic))

    def scaled(self, factor: float) -> Distortion:
        """The same distortion, `factor` times as far."""
        return replace(
            self,
            degrees=self.degrees * factor,
            scale=self.scale * factor,
            shear=self.shear * factor,
            shift=self.shift * factor,
            elastic=self.elastic * factor,
            mirrored=self.mirrored and factor > 0,
        )


def distort(images: Tensor, amount: Distortion, generator: torch.Generator) -> Tensor:
    """Distorted copies of uint8 images (N, side, side) or (N, side, side, colours), 0..255.

    float32 of the same shape; where nothing else warps them, they are shifted by whole pixels.
    """
    images = images.to(torch.float32)
    if amount._warps:
        images = _warped(images, amount, generator)
    elif amount.shift:
        images = _shifted(images, round(amount.shift), generator)
    return _mirrored(images, generator) if amount.mirrored else images


def _warped(images: Tensor, amount: Distortion, generator: torch.Generator) -> Tensor:
    """By bilinear interpolation."""
    count, side = images.shape[:2]

    def uniform(limit: float) -> Tensor:
        return (torch.rand(count, generator=generator) * 2 - 1) * limit

    angle = uniform(amount.degrees * torch.pi / 180)
    zoom_x, zoom_y = 1 + uniform(amount.scale), 1 + uniform(amount.scale)
    shear = uniform(amount.shear)
    per_pixel = 2 / side  # grid_sample's coordinates run from -1 to 1
    cos, sin = angle.cos(), angle.sin()
    shift_x, shift_y = uniform(amount.shift * per_pixel), uniform(amount.shift * per_pixel)
    rows = [
        torch.stack([cos * zoom_x, (shear * cos - sin) * zoom_y, shift_x], dim=1),
        torch.stack([sin * zoom_x, (shear * sin + cos) * zoom_y, shift_y], dim=1),
    ]
    matrix = torch.stack(rows, dim=1)
    grid = functional.affine_grid(matrix, [count, 1, side, side], align_corners=False)
    if amount.elastic > 0:
        knots = amount.elastic_knots
        field = torch.randn(count, 2, knots, knots, generator=generator)
        field = functional.interpolate(field, size=(side, side), mode="bicubic", align_corners=True)
        grid = grid + field.permute(0, 2, 3, 1) * (amount.elastic * per_pixel)
    planes = images.reshape(count, side, side, -1).permute(0, 3, 1, 2)
    moved = functional.grid_sample(planes, grid, mode="bilinear", align_corners=False)
    return moved.permute(0, 2, 3, 1).reshape(images.shape)


def _shifted(images: Tensor, most: int, generator: torch.Generator) -> Tensor:
    """Each image shifted by up to `most` pixels along each axis; what moves in is zero."""
    count, side = images.shape[:2]
    offsets = torch.randint(0, 2 * most + 1, (2, count, 1), generator=generator)
    rows, columns = offsets + torch.arange(side)
    margins = [0, 0] * (images.ndim - 3) + [most] * 4
    padded = functional.pad(images, margins)
    return padded[torch.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]


def _mirrored(images: Tensor, generator: torch.Generator) -> Tensor:
    """Images (N, side, side, ...), about half of them mirrored left to right."""
    turned = torch.rand(len(images), generator=generator) < 0.5
    mask = turned.reshape(-1, *[1] * (images.ndim - 1))
    return torch.where(mask, images.flip(2), images)
