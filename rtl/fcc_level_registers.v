// SPDX-License-Identifier: Apache-2.0
//
// The thresholds that turn a colour of a pixel into thermometer bits: LEVELS of each colour. It
// exists beside fcc_csr because only a core for feature maps has them, and their number is one of
// its parameters.
//
// Latency: a written threshold is there in the next cycle. An index beyond the last one is ignored.

`default_nettype none

module fcc_level_registers #(
    // Thresholds of all colours (1 to 256).
    parameter COUNT = 1,
    // $readmemh file with the thresholds after a reset, a byte each; "" for zeros.
    parameter PRESET = ""
) (
    input  wire               clk,
    input  wire               reset,
    input  wire               write,
    input  wire [        7:0] index,
    input  wire [        7:0] threshold,
    // Threshold i at bit 8*i.
    output wire [8*COUNT-1:0] levels
);

  wire [8*COUNT-1:0] preset;

  genvar i;
  generate
    if (PRESET != "") begin : g_preset
      reg [7:0] image[0:COUNT-1];
      initial $readmemh(PRESET, image);
      for (i = 0; i < COUNT; i = i + 1) begin : g_level
        assign preset[8*i+:8] = image[i];
      end
    end else begin : g_blank
      assign preset = {8 * COUNT{1'b0}};
    end
    for (i = 0; i < COUNT; i = i + 1) begin : g_register
      localparam [31:0] INDEX = i;
      reg [7:0] level_reg;
      assign levels[8*i+:8] = level_reg;
      always @(posedge clk) begin
        if (reset) level_reg <= preset[8*i+:8];
        else if (write && index == INDEX[7:0]) level_reg <= threshold;
      end
    end
  endgenerate

endmodule

`default_nettype wire
