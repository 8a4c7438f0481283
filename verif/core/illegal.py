# SPDX-License-Identifier: Apache-2.0
"""Parameters that no core can have, and the module whose name says so at elaboration."""

from __future__ import annotations

# A core for convolutions.
MAPS = {
    **{"PE": 3, "SIMD": 54, "LANES": 4, "TAPS": 1, "MAX_WIDTH": 162, "IMAGE_WIDTH": 32},
    **{"MAX_LAYERS": 3, "MAX_CLASSES": 10, "WEIGHT_DEPTH": 20, "BANK_DEPTH": 20},
    **{"MAP_INPUT": 64, "MAP_EVEN": 100, "MAP_ODD": 50, "PIXEL_CHANNELS": 3, "PIXEL_LEVELS": 2},
}

_LEARN = "LEARN_must_be_0_to_32_and_at_most_MAX_CLASSES"
_LEARN_KINDS = "LEARN_needs_TAPS_1_ORDER_1_and_no_TERNARY_WEIGHT_STREAM_or_MAP_INPUT"

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
    ({"LEARN": -1}, _LEARN),
    ({"LEARN": 33, "MAX_CLASSES": 40}, _LEARN),
    ({"LEARN": 17}, _LEARN),
    ({"LEARN": 1, "TAPS": 2}, _LEARN_KINDS),
    ({"LEARN": 1, "ORDER": 2}, _LEARN_KINDS),
    ({"LEARN": 1, "TERNARY": 1}, _LEARN_KINDS),
    ({"LEARN": 1, "WEIGHT_STREAM": 8}, _LEARN_KINDS),
    ({"THRESHOLD_DEPTH": 1}, "THRESHOLD_DEPTH_must_be_at_least_2"),
    ({"IMAGE_WIDTH": 0}, "IMAGE_WIDTH_must_be_a_power_of_two_from_8_to_512"),
    ({"IMAGE_WIDTH": 24}, "IMAGE_WIDTH_must_be_a_power_of_two_from_8_to_512"),
    ({"IMAGE_WIDTH": 1024}, "IMAGE_WIDTH_must_be_a_power_of_two_from_8_to_512"),
    ({"MAP_INPUT": -1}, "MAP_INPUT_must_be_0_to_8192"),
    ({"MAP_EVEN": 1}, "MAP_EVEN_and_MAP_ODD_must_be_0_where_MAP_INPUT_is_0"),
    ({"MAP_ODD": 1}, "MAP_EVEN_and_MAP_ODD_must_be_0_where_MAP_INPUT_is_0"),
]

# In a core for convolutions that would be legal but for these.
ILLEGAL_MAPS: list[tuple[dict[str, int], str]] = [
    ({"MAP_INPUT": 8193}, "MAP_INPUT_must_be_0_to_8192"),
    ({"MAP_EVEN": 0}, "MAP_EVEN_must_be_1_to_8192_where_MAP_INPUT_is_not_0"),
    ({"MAP_EVEN": 8193}, "MAP_EVEN_must_be_1_to_8192_where_MAP_INPUT_is_not_0"),
    ({"MAP_ODD": 0}, "MAP_ODD_must_be_1_to_8192_where_MAP_INPUT_is_not_0"),
    ({"MAP_ODD": 8193}, "MAP_ODD_must_be_1_to_8192_where_MAP_INPUT_is_not_0"),
    ({"LANES": 3}, "LANES_must_be_4_for_each_ORDER_where_MAP_INPUT_is_not_0"),
    ({"LANES": 8}, "LANES_must_be_4_for_each_ORDER_where_MAP_INPUT_is_not_0"),
    ({"ORDER": 2}, "LANES_must_be_4_for_each_ORDER_where_MAP_INPUT_is_not_0"),
    ({"LEARN": 1}, _LEARN_KINDS),
    ({"TAPS": 2}, "TAPS_must_be_1_and_WEIGHT_STREAM_0_where_MAP_INPUT_is_not_0"),
    ({"WEIGHT_STREAM": 8}, "TAPS_must_be_1_and_WEIGHT_STREAM_0_where_MAP_INPUT_is_not_0"),
    ({"SIMD": 55}, "SIMD_must_be_three_slots_that_PE_divides_where_MAP_INPUT_is_not_0"),
    ({"SIMD": 57}, "SIMD_must_be_three_slots_that_PE_divides_where_MAP_INPUT_is_not_0"),
    ({"PE": 4}, "SIMD_must_be_three_slots_that_PE_divides_where_MAP_INPUT_is_not_0"),
    ({"PE": 36}, "SIMD_must_be_three_slots_that_PE_divides_where_MAP_INPUT_is_not_0"),
    ({"PIXEL_CHANNELS": 0}, "PIXEL_CHANNELS_must_be_1_to_4_symbols_of_a_beat"),
    ({"PIXEL_CHANNELS": 5, "PIXEL_LEVELS": 1}, "PIXEL_CHANNELS_must_be_1_to_4_symbols_of_a_beat"),
    ({"IMAGE_WIDTH": 16}, "PIXEL_CHANNELS_must_be_1_to_4_symbols_of_a_beat"),
    ({"PIXEL_LEVELS": -1}, "PIXEL_LEVELS_must_be_0_to_64"),
    ({"PIXEL_LEVELS": 65, "SIMD": 1755}, "PIXEL_LEVELS_must_be_0_to_64"),
    (
        {"PIXEL_LEVELS": 0, "SIMD": 24, "PE": 2},
        "PIXEL_LEVELS_must_leave_the_bits_of_three_pixels_room_in_a_slot",
    ),
    ({"PIXEL_LEVELS": 3}, "PIXEL_LEVELS_must_leave_the_bits_of_three_pixels_room_in_a_slot"),
]
