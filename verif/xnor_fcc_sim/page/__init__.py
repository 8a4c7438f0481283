# SPDX-License-Identifier: Apache-2.0
"""HTML pages of what was measured, from the JSON files that the commands leave."""
