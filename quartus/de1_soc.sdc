# SPDX-License-Identifier: Apache-2.0
#
# Timing of the DE1-SoC demo: one clock, from the pin or out of the PLL behind it. Keys and switches
# are read by synchronisers, digits and lamps by people: there is nothing to time at these pins.

create_clock -name CLOCK_50 -period 20.000 [get_ports CLOCK_50]
derive_pll_clocks
derive_clock_uncertainty

set_false_path -from [get_ports {KEY[*] SW[*]}]
set_false_path -to [get_ports {LEDR[*] HEX0[*] HEX1[*] HEX2[*] HEX3[*] HEX4[*] HEX5[*]}]
