# SPDX-License-Identifier: Apache-2.0
"""The sections of the report: for each what it reads, what it demands, and what it shows.

A view is made of what one make target wrote. It invents nothing: a key that is not there, or that
holds another type than it should, is an error of the file, which report.py turns into one sentence.
"""

from __future__ import annotations

from xnor_fcc_sim.page.sections import answers, speed, verification
from xnor_fcc_sim.page.sections.topic import Topic

__all__ = ["TOPICS", "Topic"]

TOPICS = (*verification.TOPICS, *answers.TOPICS, *speed.TOPICS)
