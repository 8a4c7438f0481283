# SPDX-License-Identifier: Apache-2.0
"""Which type of number training multiplies in: what is quick depends on the processor.

Narrow numbers are twice as quick where the processor multiplies them, and emulated elsewhere: on a
processor without AVX-512 a product in bfloat16 took 46 times as long as in float32, one of int8
16 times (1024 x 1024, 200 images, one core), a convolution in bfloat16 9 times.
"""

from __future__ import annotations

import torch
from torch import Tensor

NARROW = torch.backends.cpu.get_cpu_capability() == "AVX512"
"""Whether bfloat16 and int8 are the quick ones here."""

ROUGH = torch.bfloat16 if NARROW else torch.float32
"""Type of gradients, and of the products of convolutions in training."""


def exact_product(activations: Tensor, values: Tensor) -> Tensor:
    """activations int8 (N, n) times values int8 (m, n): float32 (N, m), exact as long as no sum of
    magnitudes is above 2^24."""
    if not NARROW:
        return activations.to(torch.float32) @ values.to(torch.float32).t()
    if values.shape[1] == 1:
        # With one input the transpose's strides make _int_mm return garbage on CPUs
        # (pytorch issue 195066); the product is a plain outer one then.
        return activations.to(torch.float32) * values.t()
    return torch._int_mm(activations, values.t()).to(torch.float32)
