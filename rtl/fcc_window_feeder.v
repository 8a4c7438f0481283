// SPDX-License-Identifier: Apache-2.0
//
// Fetches the words of a block of 2x2 windows: addresses for the banks of fcc_map_memory, and the
// order of what they give. It takes the place that a ring has in a core for dense layers.
//
// A word is one row of the windows' kernel, of one slice of channels. The block's two rows of it
// and the four columns that its windows share are one pixel of each bank. Rows begin with an even
// one, or with an odd one in the kernel's middle row; columns begin with 0 or 2 mod 4. So each
// pixel comes from one of four banks.
//
// Schedule, counted from the cycle of `address`:
//   cycle 1: read_*; cycle 2: what was read; cycle 4: pixels
// One word a cycle, never stalls.

`default_nettype none

module fcc_window_feeder #(
    // Bits of a slot: channels of a pixel in a word (>= 1).
    parameter SLOT = 1,
    // Planes of activations (1 or 2).
    parameter ORDER = 1,
    // Bits of an address (>= 1).
    parameter ADDRESS_BITS = 1
) (
    input  wire                      clk,
    // Where the block's first pixel stands, in this word's slice; what the next pair of rows and
    // the next four columns are away from it.
    input  wire [  ADDRESS_BITS-1:0] address,
    input  wire [  ADDRESS_BITS-1:0] row_step,
    input  wire [  ADDRESS_BITS-1:0] column_step,
    // Row of the kernel (0 to 2); the block begins at a column that is 2 mod 4.
    input  wire [               1:0] row,
    input  wire                      far,
    // The images are read, not the maps of hidden layers.
    input  wire                      image,
    output reg  [  ADDRESS_BITS-1:0] read_even_near,
    output reg  [  ADDRESS_BITS-1:0] read_even_far,
    output reg  [  ADDRESS_BITS-1:0] read_odd_near,
    output reg  [  ADDRESS_BITS-1:0] read_odd_far,
    // What the banks have: bank b at bit b*SLOT, of the maps plane by plane within a bank.
    input  wire [        8*SLOT-1:0] image_pixels,
    input  wire [  8*SLOT*ORDER-1:0] map_pixels,
    // Of plane p, row y and column x of the block at bit ((p*2 + y)*4 + x)*SLOT.
    output reg  [  8*SLOT*ORDER-1:0] pixels
);

  // With the banks' outputs.
  reg                     image_s1;
  reg                     image_s2;
  // With the choice between images and maps.
  reg                     odd_s1;
  reg                     odd_s2;
  reg                     odd_s3;
  reg                     far_s1;
  reg                     far_s2;
  reg                     far_s3;
  reg  [8*SLOT*ORDER-1:0] read_s3;

  wire [ADDRESS_BITS-1:0] even = (row != 2'd0) ? address + row_step : address;
  wire [ADDRESS_BITS-1:0] odd = (row == 2'd2) ? address + row_step : address;
  wire [ADDRESS_BITS-1:0] near_step = far ? column_step : {ADDRESS_BITS{1'b0}};

  always @(posedge clk) begin
    read_even_near <= even + near_step;
    read_even_far <= even;
    read_odd_near <= odd + near_step;
    read_odd_far <= odd;
    image_s1 <= image;
    image_s2 <= image_s1;
    odd_s1 <= row[0];
    odd_s2 <= odd_s1;
    odd_s3 <= odd_s2;
    far_s1 <= far;
    far_s2 <= far_s1;
    far_s3 <= far_s2;
  end

  genvar b;
  genvar p;
  generate
    for (p = 0; p < ORDER; p = p + 1) begin : g_plane
      for (b = 0; b < 8; b = b + 1) begin : g_bank
        localparam BANK = p * 8 + b;
        // The same row, and the same or the other pair of columns; then the other row.
        localparam OTHER = p * 8 + (b ^ 2);
        localparam ACROSS = p * 8 + (b ^ 4);
        localparam OPPOSITE = p * 8 + (b ^ 6);
        always @(posedge clk) begin
          // Images have one plane, the first.
          read_s3[BANK*SLOT+:SLOT] <= (p == 0 && image_s2) ? image_pixels[b*SLOT+:SLOT]
              : map_pixels[(b*ORDER+p)*SLOT+:SLOT];
          pixels[BANK*SLOT+:SLOT] <= odd_s3
              ? (far_s3 ? read_s3[OPPOSITE*SLOT+:SLOT] : read_s3[ACROSS*SLOT+:SLOT])
              : (far_s3 ? read_s3[OTHER*SLOT+:SLOT] : read_s3[BANK*SLOT+:SLOT]);
        end
      end
    end
  endgenerate

endmodule

`default_nettype wire
