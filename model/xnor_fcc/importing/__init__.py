# SPDX-License-Identifier: Apache-2.0
"""Networks of others, taken over bit by bit."""
