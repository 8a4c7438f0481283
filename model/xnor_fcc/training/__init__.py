# SPDX-License-Identifier: Apache-2.0
"""Training: all that needs torch."""

import logging

# It tells of a missing CUDA, which nothing here needs.
logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
