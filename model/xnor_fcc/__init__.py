# SPDX-License-Identifier: Apache-2.0
"""The model side of the XNOR-Net fully connected core."""
