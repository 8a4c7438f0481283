# SPDX-License-Identifier: Apache-2.0
"""Long runs that judge the tests themselves."""
