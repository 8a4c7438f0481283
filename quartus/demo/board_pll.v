// SPDX-License-Identifier: Apache-2.0
//
// A clock other than that of the pin: the one place with a vendor's part, Intel's PLL of the
// Cyclone V. Quartus finds altera_pll in its own library; verif/board/altera_pll.v has its ports
// for lint and simulation.
//
// `locked` is asynchronous and low until the clock is there.

`default_nettype none

module board_pll #(
    // Output frequency as Quartus writes it: "75.0 MHz".
    parameter FREQUENCY = "75.0 MHz"
) (
    // 50 MHz.
    input  wire refclk,
    output wire clk,
    output wire locked
);

  wire unused_feedback;

  altera_pll #(
      .fractional_vco_multiplier("false"),
      .reference_clock_frequency("50.0 MHz"),
      .operation_mode           ("direct"),
      .number_of_clocks         (1),
      .output_clock_frequency0  (FREQUENCY),
      .phase_shift0             ("0 ps"),
      .duty_cycle0              (50),
      .pll_type                 ("General"),
      .pll_subtype              ("General")
  ) pll (
      .rst     (1'b0),
      .refclk  (refclk),
      .fbclk   (1'b0),
      .outclk  (clk),
      .locked  (locked),
      .fboutclk(unused_feedback)
  );

endmodule

`default_nettype wire
