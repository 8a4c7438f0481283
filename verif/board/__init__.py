# SPDX-License-Identifier: Apache-2.0
"""Tests of the DE1-SoC demo, the driver and the hosts."""
