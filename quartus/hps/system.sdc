# SPDX-License-Identifier: Apache-2.0
#
# Timing of the Platform Designer systems, which are their own top level: one clock from the pin.
# The reset key is synchronised inside; memory and bridges of the processor bring their own.

create_clock -name clk -period 20.000 [get_ports clk_clk]
derive_pll_clocks
derive_clock_uncertainty
set_false_path -from [get_ports reset_reset_n]

# The JTAG chain of the board, where a design is on it.
if {[get_collection_size [get_ports -nowarn altera_reserved_tck]] > 0} {
  create_clock -name altera_reserved_tck -period 33.333 [get_ports altera_reserved_tck]
  set_clock_groups -asynchronous -group {altera_reserved_tck}
}
