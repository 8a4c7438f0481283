# SPDX-License-Identifier: Apache-2.0
"""What the core costs and how fast it is."""
