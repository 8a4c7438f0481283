// SPDX-License-Identifier: Apache-2.0
//
// Receives one image a packet over Avalon-ST, a pixel a beat, turns its colours into thermometer
// bits and stores them where windows are fetched from: two images at a time, so that one comes
// while the other is used. Whatever is wrong with a packet, it is dropped whole and counted, and
// the packets behind it are untouched.
//
// A beat carries the pixel's colours in its first CHANNELS symbols, the first one in the high-order
// bits; further symbols are ignored. Bit c*LEVELS + k of a pixel is (colour c >= level k of colour
// c), or 0 where that level is 0. Without levels pixels stay numbers: bit c*8 + k is bit k of
// colour c.
//
// A window of 3x3 pixels is to come out of the memory in one word. So the sink keeps two lines and
// stores, for every pixel from the third line on, the bits of three lines of its column: those of
// line y + r at bit r*BITS of place (y, x). Place (y, x) stands in bank (y mod 2)*4 +
// (x mod 4) at address ((y >> 1) << log2(quads)) + (x >> 2), quads being side / 4 rounded up to a
// power of two.
//
// `batch_id` numbers the packets since `restart`, dropped ones included, modulo 2^16, so that the
// sender can tell which one was lost. A packet ends with endofpacket or where the next one starts.
//
// Latency: `batch_valid` rises in the cycle after the last beat, whose bits are written two cycles
// after it. `asi_ready` is low while both images wait or are used.

`default_nettype none

module fcc_pixel_sink #(
    // Bits of a beat: 8, 16, 32, ... (>= 8 * CHANNELS).
    parameter WIDTH = 8,
    // Colours of a pixel (1 to 4).
    parameter CHANNELS = 1,
    // Thermometer bits of a colour; 0: it stays a number of 8 bits (>= 0).
    parameter LEVELS = 1,
    // Words of a bank that an image may take (>= 1).
    parameter DEPTH = 1
) (
    input  wire                                           clk,
    input  wire                                           reset,
    input  wire                                           enable,
    input  wire                                           restart,
    // Free-running cycle counter, for the latency of an image.
    input  wire [                                   31:0] now,
    // Configuration, stable while enabled. Pixels of a line, and lines, of an image (3 to 127).
    input  wire [                                    6:0] side,
    // Level k of colour c at bit (c*LEVELS + k)*8; without levels unused.
    input  wire [8*CHANNELS*((LEVELS > 0) ? LEVELS : 8)-1:0] levels,
    input  wire                                           asi_valid,
    output wire                                           asi_ready,
    input  wire [                              WIDTH-1:0] asi_data,
    input  wire                                           asi_startofpacket,
    input  wire                                           asi_endofpacket,
    input  wire [((WIDTH > 8) ? $clog2(WIDTH/8) : 1)-1:0] asi_empty,
    input  wire                                           asi_error,
    // What is stored: by bank, and for all of them address (the image in its upper half or lower
    // half of 2*DEPTH words) and bits.
    output reg  [                                    7:0] write,
    output reg  [                  $clog2(2*DEPTH)-1:0] write_address,
    output reg  [3*CHANNELS*((LEVELS > 0) ? LEVELS : 8)-1:0] write_data,
    // An image waits; it has been begun with; its pixels are needed no more.
    output wire                                           batch_valid,
    input  wire                                           batch_taken,
    input  wire                                           batch_done,
    // The image that is begun with or used: which of the two, and from the cycle after
    // `batch_taken` to the next one its id, and `now` in the cycle of its last beat.
    output wire                                           batch_half,
    output reg  [                                   15:0] batch_id,
    output reg  [                                   31:0] batch_stamp,
    output wire                                           waiting,
    // Events, one cycle each: packets dropped (0 to 2 at once) and why.
    output reg  [                                    1:0] dropped,
    output reg                                            error_short,
    output reg                                            error_long,
    output reg                                            error_frame,
    output reg                                            error_flag
);

  localparam BITS = CHANNELS * ((LEVELS > 0) ? LEVELS : 8);
  localparam ADDRESS_BITS = $clog2(2 * DEPTH);
  localparam [31:0] HALF = DEPTH;

  reg                     in_packet_reg;
  reg                     bad_reg;
  // Place of the next pixel, unless a packet starts with it, and whether it is beyond the image.
  reg  [             6:0] x_reg;
  reg  [             6:0] y_reg;
  reg                     past_last_reg;
  reg  [            15:0] id_reg;
  // The image that is written, the one that is read, and which ones are complete.
  reg                     write_half_reg;
  reg                     read_half_reg;
  reg  [             1:0] full_reg;
  reg                     taken_reg;
  reg  [            31:0] ids_reg;
  reg  [            63:0] stamps_reg;
  // The last place of a line, and what a line takes of the memory.
  reg  [             6:0] last_reg;
  reg  [ADDRESS_BITS-1:0] line_step_reg;
  reg  [ADDRESS_BITS-1:0] line_reg;

  wire                    accept = asi_valid && asi_ready;
  wire [             6:0] x = asi_startofpacket ? 7'd0 : x_reg;
  wire [             6:0] y = asi_startofpacket ? 7'd0 : y_reg;
  wire                    past_last = !asi_startofpacket && past_last_reg;
  wire                    at_end = (x == last_reg);
  wire                    at_last = at_end && (y == last_reg);
  wire                    lost_end = in_packet_reg && asi_startofpacket;
  wire                    lost_start = !in_packet_reg && !asi_startofpacket;
  wire                    was_bad = bad_reg && in_packet_reg && !asi_startofpacket;
  wire too_short = asi_endofpacket && !past_last && (!at_last || asi_empty != 0);
  wire                    too_long = past_last || (at_last && !asi_endofpacket);
  wire bad = was_bad || lost_start || asi_error || too_short || too_long;
  wire                    complete = accept && asi_endofpacket && !bad;

  assign asi_ready = enable && !full_reg[write_half_reg];
  assign batch_valid = full_reg[read_half_reg] && !taken_reg;
  assign batch_half = read_half_reg;
  assign waiting = |full_reg;

  wire [BITS-1:0] pixel;
  genvar c;
  genvar k;
  generate
    for (c = 0; c < CHANNELS; c = c + 1) begin : g_channel
      wire [7:0] colour = asi_data[WIDTH-1-8*c-:8];
      if (LEVELS == 0) begin : g_number
        assign pixel[c*8+:8] = colour;
      end
      for (k = 0; k < LEVELS; k = k + 1) begin : g_level
        wire [7:0] level = levels[(c*LEVELS+k)*8+:8];
        assign pixel[c*LEVELS+k] = (level != 8'd0) && (colour >= level);
      end
    end
    if (LEVELS == 0) begin : g_no_levels
      wire unused_levels = &{1'b0, levels};
    end
    // A beat wider than a pixel.
    if (WIDTH > 8 * CHANNELS) begin : g_rest
      wire unused = &{1'b0, asi_data[WIDTH-8*CHANNELS-1:0]};
    end
  endgenerate

  // The two lines above: read when a pixel is accepted, and a cycle later, when its bits are there,
  // written again one line further down.
  reg               place_reg;
  reg  [       6:0] place_x_reg;
  reg  [       6:0] place_y_reg;
  reg               place_half_reg;
  reg  [  BITS-1:0] pixel_reg;
  wire [2*BITS-1:0] above;

  fcc_memory #(
      .WIDTH    (2 * BITS),
      .DEPTH    (128),
      .INIT_FILE("")
  ) lines (
      .clk          (clk),
      .write        (place_reg),
      .write_address(place_x_reg),
      .write_data   ({pixel_reg, above[2*BITS-1:BITS]}),
      .read_address (x),
      .read_data    (above)
  );

  // A packet known to be bad is not stored: it may run on beyond an image's end.
  wire store = accept && !past_last && !lost_start && !was_bad;

  // Quads of a line, rounded up to a power of two.
  wire [5:0] quads = {1'b0, last_reg[6:2]} + 6'd1;

  always @(posedge clk) begin
    last_reg <= side - 7'd1;
    line_step_reg <= {{(ADDRESS_BITS - 1) {1'b0}}, 1'b1}
        << ((quads > 6'd16) ? 3'd5 : (quads > 6'd8) ? 3'd4 : (quads > 6'd4) ? 3'd3
            : (quads > 6'd2) ? 3'd2 : (quads > 6'd1) ? 3'd1 : 3'd0);

    place_reg <= store;
    place_x_reg <= x;
    place_y_reg <= y;
    place_half_reg <= write_half_reg;
    pixel_reg <= pixel;

    // Where the line of place y - 2 begins: its pair of lines is that of y, one further up.
    if (store && at_end) line_reg <= (y < 7'd2) ? {ADDRESS_BITS{1'b0}}
        : y[0] ? line_reg + line_step_reg : line_reg;
    write <= 8'd0;
    if (place_reg && place_y_reg >= 7'd2) write[{place_y_reg[0], place_x_reg[1:0]}] <= 1'b1;
    write_data <= {pixel_reg, above};
  end

  // The line's address is a cycle ahead of its last place.
  reg [ADDRESS_BITS-1:0] place_line_reg;
  wire [31:0] place_quad = {27'd0, place_x_reg[6:2]};
  always @(posedge clk) begin
    place_line_reg <= line_reg;
    write_address <= place_line_reg + place_quad[ADDRESS_BITS-1:0]
        + (place_half_reg ? HALF[ADDRESS_BITS-1:0] : {ADDRESS_BITS{1'b0}});
  end
  // An address has room for the quads of a line that fits.
  wire unused_quad = &{1'b0, place_quad};

  always @(posedge clk) begin
    dropped <= 2'd0;
    error_short <= 1'b0;
    error_long <= 1'b0;
    error_frame <= 1'b0;
    error_flag <= 1'b0;

    if (accept) begin
      dropped <= {1'b0, lost_end} + {1'b0, asi_endofpacket && bad};
      error_frame <= lost_end || lost_start;
      error_flag <= asi_error;
      // Once a packet is bad, its length says nothing more.
      error_short <= too_short && !was_bad && !lost_start;
      error_long <= too_long && !was_bad && !lost_start;
      in_packet_reg <= !asi_endofpacket;
      bad_reg <= bad;
      if (!past_last) begin
        x_reg <= at_end ? 7'd0 : x + 7'd1;
        y_reg <= at_end ? y + 7'd1 : y;
        past_last_reg <= at_last;
      end
      id_reg <= id_reg + {15'd0, lost_end} + {15'd0, asi_endofpacket};
    end else if (!enable) begin
      // The configuration may change now: a packet cut in two by it is not an image.
      bad_reg <= 1'b1;
    end

    if (complete) begin
      full_reg[write_half_reg] <= 1'b1;
      write_half_reg <= !write_half_reg;
      // An image has more than one beat: no packet is cut off by its last one.
      ids_reg[16*write_half_reg+:16] <= id_reg;
      stamps_reg[32*write_half_reg+:32] <= now;
    end
    if (batch_taken) begin
      taken_reg <= 1'b1;
      batch_id <= ids_reg[16*read_half_reg+:16];
      batch_stamp <= stamps_reg[32*read_half_reg+:32];
    end
    if (batch_done) begin
      taken_reg <= 1'b0;
      full_reg[read_half_reg] <= 1'b0;
      read_half_reg <= !read_half_reg;
    end

    if (restart) id_reg <= 16'd0;
    if (reset) begin
      full_reg <= 2'd0;
      taken_reg <= 1'b0;
      write_half_reg <= 1'b0;
      read_half_reg <= 1'b0;
      in_packet_reg <= 1'b0;
      bad_reg <= 1'b0;
      id_reg <= 16'd0;
    end
  end

endmodule

`default_nettype wire
