# SPDX-License-Identifier: Apache-2.0
"""Faults planted in the RTL, and which of them the tests find."""
