// SPDX-License-Identifier: Apache-2.0
//
// fcc_window_feeder: of every word, each pixel of the block's two rows of the kernel's row and of
// its four columns comes from where fcc_map_writer's header says that this pixel stands, in the
// bank and at the address, and from nowhere else; of the images or of the maps, as the word says;
// of both planes of the maps. One word a cycle, in any order.
//
// One pixel is watched: its place gives its value, all other places give anything, each time
// something else. Nothing is assumed of the areas' steps, nor of the order of the words.

`default_nettype none

module window_feeder #(
    parameter SLOT = 2,
    parameter ORDER = 2,
    parameter ADDRESS_BITS = 4
) (
    input wire                    clk,
    // The word: block (line, column), slice of channels, row of the kernel, images or maps.
    input wire [             1:0] line,
    input wire [             2:0] column,
    input wire [             1:0] slice,
    input wire [             1:0] row,
    input wire                    image,
    // What places give that are not watched.
    input wire [      8*SLOT-1:0] image_noise,
    input wire [8*SLOT*ORDER-1:0] map_noise
);

  localparam A = ADDRESS_BITS;

  (* anyconst *) wire [A-1:0] base;
  (* anyconst *) wire [A-1:0] line_step;
  (* anyconst *) wire [A-1:0] column_step;

  // The pixel that is watched, and where it stands.
  (* anyconst *) wire [3:0] that_y;
  (* anyconst *) wire [3:0] that_x;
  (* anyconst *) wire [1:0] that_slice;
  (* anyconst *) wire [SLOT-1:0] image_value;
  (* anyconst *) wire [SLOT*ORDER-1:0] map_value;
  wire [2:0] that_bank = {that_y[0], that_x[1:0]};
  wire [A-1:0] that_address = base + that_y[3:1] * line_step + that_x[3:2] * column_step
      + that_slice;

  wire [A-1:0] read[0:3];
  reg [8*SLOT-1:0] image_pixels;
  reg [8*SLOT*ORDER-1:0] map_pixels;
  wire [8*SLOT*ORDER-1:0] pixels;

  fcc_window_feeder #(
      .SLOT        (SLOT),
      .ORDER       (ORDER),
      .ADDRESS_BITS(ADDRESS_BITS)
  ) dut (
      .clk           (clk),
      .address       (base + line * line_step + column[2:1] * column_step + slice),
      .row_step      (line_step),
      .column_step   (column_step),
      .row           (row),
      .far           (column[0]),
      .image         (image),
      .read_even_near(read[0]),
      .read_even_far (read[1]),
      .read_odd_near (read[2]),
      .read_odd_far  (read[3]),
      .image_pixels  (image_pixels),
      .map_pixels    (map_pixels),
      .pixels        (pixels)
  );

  // The banks, a cycle after their address.
  reg [7:0] hit;
  integer b;
  always @(posedge clk) begin
    for (b = 0; b < 8; b = b + 1) hit[b] <= (b == that_bank) && (read[b/2] == that_address);
  end
  always @* begin
    image_pixels = image_noise;
    map_pixels = map_noise;
    for (b = 0; b < 8; b = b + 1) begin
      if (hit[b]) image_pixels[b*SLOT+:SLOT] = image_value;
      if (hit[b]) map_pixels[b*SLOT*ORDER+:SLOT*ORDER] = map_value;
    end
  end

  // The word four cycles ago.
  reg [9:0] word_s1, word_s2, word_s3, word_s4;
  reg [2:0] cycles = 3'd0;
  wire [1:0] line_s4;
  wire [2:0] column_s4;
  wire [1:0] slice_s4;
  wire [1:0] row_s4;
  wire image_s4;
  assign {line_s4, column_s4, slice_s4, row_s4, image_s4} = word_s4;
  // Where in the word the watched pixel has to be.
  wire [4:0] down = that_y - {line_s4, 1'b0} - row_s4;
  wire [4:0] along = that_x - {column_s4, 1'b0};
  wire there = (slice_s4 == that_slice) && (down < 2) && (along < 4);
  integer p;

  always @* assume (row <= 2);

  always @(posedge clk) begin
    word_s1 <= {line, column, slice, row, image};
    word_s2 <= word_s1;
    word_s3 <= word_s2;
    word_s4 <= word_s3;
    if (cycles != 4) cycles <= cycles + 3'd1;
    if (cycles == 4 && there) begin
      for (p = 0; p < ORDER; p = p + 1) begin
        // An image has one plane.
        if (!image_s4) begin
          assert (pixels[((p*2+down[0])*4+along[1:0])*SLOT+:SLOT] == map_value[p*SLOT+:SLOT]);
        end else if (p == 0) begin
          assert (pixels[(down[0]*4+along[1:0])*SLOT+:SLOT] == image_value);
        end
      end
    end
  end

endmodule

`default_nettype wire
