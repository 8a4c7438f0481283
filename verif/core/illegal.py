# SPDX-License-Identifier: Apache-2.0
"""Parameters that no core can have, and the module whose name says so at elaboration."""

from __future__ import annotations

ILLEGAL: list[tuple[dict[str, int], str]] = [
    ({"PE": 0}, "PE_must_be_at_least_1"),
    ({"SIMD": 0}, "SIMD_must_be_at_least_1"),
    ({"LANES": 0}, "LANES_must_be_1_to_64"),
    ({"LANES": 65}, "LANES_must_be_1_to_64"),
    ({"MAX_WIDTH": 0}, "MAX_WIDTH_must_be_1_to_32767"),
    ({"MAX_WIDTH": 32768}, "MAX_WIDTH_must_be_1_to_32767"),
    ({"TAPS": 0}, "TAPS_must_be_1_to_the_smaller_of_PE_and_the_words_of_the_ring"),
    ({"TAPS": 9}, "TAPS_must_be_1_to_the_smaller_of_PE_and_the_words_of_the_ring"),
    ({"TAPS": 4, "PE": 3}, "TAPS_must_be_1_to_the_smaller_of_PE_and_the_words_of_the_ring"),
    ({"MAX_LAYERS": 0}, "MAX_LAYERS_must_be_1_to_16"),
    ({"MAX_LAYERS": 17}, "MAX_LAYERS_must_be_1_to_16"),
    ({"MAX_CLASSES": 0}, "MAX_CLASSES_must_be_1_to_MAX_WIDTH"),
    ({"MAX_CLASSES": 1025}, "MAX_CLASSES_must_be_1_to_MAX_WIDTH"),
    ({"WEIGHT_DEPTH": 1}, "WEIGHT_DEPTH_must_be_at_least_2"),
    ({"BANK_DEPTH": 0}, "BANK_DEPTH_must_make_at_most_100_banks"),
    ({"BANK_DEPTH": 7}, "BANK_DEPTH_must_make_at_most_100_banks"),
    ({"WEIGHT_STREAM": -8}, "WEIGHT_STREAM_must_be_0_or_a_multiple_of_8"),
    ({"WEIGHT_STREAM": 4}, "WEIGHT_STREAM_must_be_0_or_a_multiple_of_8"),
    ({"WEIGHT_STREAM": 65}, "WEIGHT_STREAM_must_be_0_or_a_multiple_of_8"),
    ({"ORDER": 0}, "ORDER_must_be_1_or_2"),
    ({"ORDER": 3}, "ORDER_must_be_1_or_2"),
    ({"ORDER": 2, "LANES": 3}, "LANES_must_be_even_where_ORDER_is_2"),
    ({"TERNARY": -1}, "TERNARY_must_be_0_or_1"),
    ({"TERNARY": 2}, "TERNARY_must_be_0_or_1"),
    ({"THRESHOLD_DEPTH": 1}, "THRESHOLD_DEPTH_must_be_at_least_2"),
    ({"IMAGE_WIDTH": 0}, "IMAGE_WIDTH_must_be_a_power_of_two_from_8_to_512"),
    ({"IMAGE_WIDTH": 24}, "IMAGE_WIDTH_must_be_a_power_of_two_from_8_to_512"),
    ({"IMAGE_WIDTH": 1024}, "IMAGE_WIDTH_must_be_a_power_of_two_from_8_to_512"),
]
