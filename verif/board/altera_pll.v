// SPDX-License-Identifier: Apache-2.0
//
// Stands in for Intel's PLL where there is no Quartus: the ports and parameters that the board
// uses, and the reference clock for the other one. It locks after a few cycles.

`default_nettype none

module altera_pll #(
    // Only Quartus makes something of them.
    /* verilator lint_off UNUSEDPARAM */
    parameter fractional_vco_multiplier = "false",
    parameter reference_clock_frequency = "0 ps",
    parameter operation_mode = "direct",
    parameter number_of_clocks = 1,
    parameter output_clock_frequency0 = "0 ps",
    parameter phase_shift0 = "0 ps",
    parameter duty_cycle0 = 50,
    parameter pll_type = "General",
    parameter pll_subtype = "General"
    /* verilator lint_on UNUSEDPARAM */
) (
    input  wire                        rst,
    input  wire                        refclk,
    input  wire                        fbclk,
    output wire [number_of_clocks-1:0] outclk,
    output wire                        locked,
    output wire                        fboutclk
);

  reg [3:0] count_reg;

  initial count_reg = 4'd0;

  always @(posedge refclk or posedge rst) begin
    if (rst) count_reg <= 4'd0;
    else if (!locked) count_reg <= count_reg + 1'b1;
  end

  assign locked = &count_reg;
  assign outclk = {number_of_clocks{refclk}};
  assign fboutclk = fbclk;

endmodule

`default_nettype wire
