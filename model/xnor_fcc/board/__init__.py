# SPDX-License-Identifier: Apache-2.0
"""Hosts: the driver, its transports, and the demo on a DE1-SoC."""
