// SPDX-License-Identifier: Apache-2.0
//
// Stands in for Lattice's PLL of the ECP5 where there is no such FPGA: the ports and parameters
// that the board uses, and the reference clock for the other one. It locks after a few cycles.

`default_nettype none

module EHXPLLL #(
    // Only the tools for the FPGA make something of them.
    /* verilator lint_off UNUSEDPARAM */
    parameter CLKI_DIV = 1,
    parameter CLKFB_DIV = 1,
    parameter CLKOP_DIV = 8,
    parameter CLKOP_CPHASE = 0,
    parameter CLKOP_FPHASE = 0,
    parameter CLKOP_ENABLE = "ENABLED",
    parameter FEEDBK_PATH = "CLKOP",
    parameter OUTDIVIDER_MUXA = "DIVA",
    parameter PLLRST_ENA = "DISABLED",
    parameter INTFB_WAKE = "DISABLED",
    parameter STDBY_ENABLE = "DISABLED",
    parameter DPHASE_SOURCE = "DISABLED"
    /* verilator lint_on UNUSEDPARAM */
) (
    input  wire RST,
    input  wire STDBY,
    input  wire CLKI,
    input  wire CLKFB,
    output wire CLKOP,
    output wire LOCK,
    input  wire PHASESEL0,
    input  wire PHASESEL1,
    input  wire PHASEDIR,
    input  wire PHASESTEP,
    input  wire PHASELOADREG,
    input  wire PLLWAKESYNC,
    input  wire ENCLKOP
);

  reg [3:0] count_reg;

  initial count_reg = 4'd0;

  always @(posedge CLKI or posedge RST) begin
    if (RST) count_reg <= 4'd0;
    else if (!LOCK) count_reg <= count_reg + 1'b1;
  end

  assign LOCK = &count_reg;
  assign CLKOP = CLKI;

  wire unused = &{1'b0, STDBY, CLKFB, PHASESEL0, PHASESEL1, PHASEDIR, PHASESTEP, PHASELOADREG,
      PLLWAKESYNC, ENCLKOP};

endmodule

`default_nettype wire
