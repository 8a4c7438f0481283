# SPDX-License-Identifier: Apache-2.0
"""Training: all that needs torch."""
