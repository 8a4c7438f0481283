# SPDX-License-Identifier: Apache-2.0
"""Random systems, traffic and faults."""
