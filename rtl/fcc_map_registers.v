// SPDX-License-Identifier: Apache-2.0
//
// The registers that only a core for feature maps has: the sizes of the maps' memories, what a
// pixel is, and the thresholds that turn a colour of a pixel into thermometer bits, PIXEL_LEVELS of
// each colour. It stands in front of fcc_csr, which has all others and is the same in every core.
//
// Accesses pass on to fcc_csr, to which these addresses are unlisted ones. A threshold that is
// written while configuration is refused goes to it as a write of INPUTS, which it refuses: so the
// error is raised where all errors are.
//
// Latency: a written threshold is there in the next cycle. One with an index beyond the last is
// ignored. Reads take the cycle that fcc_csr's take.

`default_nettype none

module fcc_map_registers #(
    // The geometry, for software to read back. Words of a bank for an image.
    parameter MAP_INPUT = 1,
    // Words of a bank for the maps of even layers.
    parameter MAP_EVEN = 1,
    // Words of a bank for the maps of odd layers.
    parameter MAP_ODD = 1,
    // Colours of a pixel.
    parameter PIXEL_CHANNELS = 1,
    // Thresholds of each colour; of all colours, 0 to 256.
    parameter PIXEL_LEVELS = 0,
    // $readmemh file with the thresholds after a reset, a byte each; "" for zeros.
    parameter PRESET = ""
) (
    input  wire        clk,
    input  wire        reset,
    input  wire [ 5:0] avs_address,
    input  wire        avs_read,
    input  wire        avs_write,
    input  wire [31:0] avs_writedata,
    output wire [31:0] avs_readdata,
    // To and from fcc_csr, which has the other signals of the bus as they are.
    output wire [ 5:0] csr_address,
    input  wire [31:0] csr_readdata,
    input  wire        locked,
    // Threshold i at bit 8*i; zeros where there are none.
    output wire [8*PIXEL_CHANNELS*((PIXEL_LEVELS > 0) ? PIXEL_LEVELS : 8)-1:0] levels
);

  `include "fcc_map_registers.vh"

  localparam COUNT = PIXEL_CHANNELS * PIXEL_LEVELS;
  localparam ROOM = (COUNT > 0) ? COUNT : 8 * PIXEL_CHANNELS;

  wire is_level = avs_address == REG_LEVEL;
  wire level_write = avs_write && is_level && !locked;
  assign csr_address = (avs_write && is_level && locked) ? REG_INPUTS : avs_address;

  // LEVEL reads 0, whatever fcc_csr was asked in its place.
  wire is_mine = is_level || avs_address == REG_MAP_INPUT || avs_address == REG_MAP_EVEN
      || avs_address == REG_MAP_ODD || avs_address == REG_PIXEL;
  reg  is_mine_reg;
  reg  [31:0] readdata_reg;
  assign avs_readdata = is_mine_reg ? readdata_reg : csr_readdata;

  always @(posedge clk) begin
    if (avs_read) begin
      is_mine_reg <= is_mine;
      case (avs_address)
        REG_MAP_INPUT: readdata_reg <= MAP_INPUT;
        REG_MAP_EVEN: readdata_reg <= MAP_EVEN;
        REG_MAP_ODD: readdata_reg <= MAP_ODD;
        REG_PIXEL: readdata_reg <= PIXEL_CHANNELS + 256 * PIXEL_LEVELS;
        default: readdata_reg <= 32'd0;
      endcase
    end
  end

  wire unused = &{1'b0, avs_writedata[31:16]};

  wire [8*ROOM-1:0] preset;

  genvar i;
  generate
    if (PRESET != "" && COUNT > 0) begin : g_preset
      reg [7:0] image[0:COUNT-1];
      initial $readmemh(PRESET, image);
      for (i = 0; i < COUNT; i = i + 1) begin : g_level
        assign preset[8*i+:8] = image[i];
      end
    end else begin : g_blank
      assign preset = {8 * ROOM{1'b0}};
    end
    if (COUNT == 0) begin : g_none
      assign levels = {8 * ROOM{1'b0}};
      wire unused_level = &{1'b0, reset, avs_writedata[15:0], level_write, preset};
    end
    for (i = 0; i < COUNT; i = i + 1) begin : g_register
      localparam [31:0] INDEX = i;
      reg [7:0] level_reg;
      assign levels[8*i+:8] = level_reg;
      always @(posedge clk) begin
        if (reset) level_reg <= preset[8*i+:8];
        else if (level_write && avs_writedata[15:8] == INDEX[7:0]) level_reg <= avs_writedata[7:0];
      end
    end
  endgenerate

endmodule

`default_nettype wire
