// SPDX-License-Identifier: Apache-2.0
//
// Receives one image a packet over Avalon-ST, turns it into activation bits and hands over
// complete, well-formed images only. Whatever is wrong with a packet, it is dropped whole and
// counted, and the packets behind it are untouched.
//
// Symbols are bytes, the first one in the high-order bits. 1-bit pixels: byte j carries pixels 8j
// to 8j+7, pixel 8j+b in bit b. 8-bit pixels: one byte a pixel, its activation is
// (pixel >= pixel_threshold). Bits beyond `inputs` are stored as 0: with padded weights of 1 they
// count nothing.
//
// Where activations may be of order 2, 8-bit pixels have a second bit, in a plane of its own: the
// sign of what the first one leaves, (pixel >= its own threshold), which depends on the first one.
//
// `staged_id` numbers the packets since `restart`, dropped ones included, modulo 2^16, so that the
// sender can tell which one was lost. A packet ends with endofpacket or where the next one starts.
//
// Latency: `staged_valid` rises in the cycle after the last beat. `asi_ready` drops after every
// good packet until the image is taken: one image takes its beats plus at least one cycle.

`default_nettype none

module fcc_image_sink #(
    // Bits of a beat: 8, 16, 32, 64, ...
    parameter WIDTH = 8,
    // Activation bits of the staged image (1 to 65535).
    parameter CAPACITY = 1,
    // Planes of an image (1 or 2).
    parameter ORDER = 1
) (
    input  wire                                         clk,
    input  wire                                         reset,
    input  wire                                         enable,
    input  wire                                         restart,
    // Configuration, stable while enabled. Image size in pixels, 1 to CAPACITY.
    input  wire [                                 15:0] inputs,
    input  wire                                         pixel_mode,
    input  wire [                                  7:0] pixel_threshold,
    // Threshold of the second bit where the first one is 0 in bits 7:0, where it is 1 in bits 15:8.
    input  wire [                                 15:0] pixel_residual,
    input  wire                                         asi_valid,
    output wire                                         asi_ready,
    input  wire [                            WIDTH-1:0] asi_data,
    input  wire                                         asi_startofpacket,
    input  wire                                         asi_endofpacket,
    input  wire [((WIDTH > 8) ? $clog2(WIDTH/8) : 1)-1:0] asi_empty,
    input  wire                                         asi_error,
    output reg                                          staged_valid,
    input  wire                                         staged_ready,
    output reg  [                         CAPACITY-1:0] staged_bits,
    // The second plane, of 8-bit pixels only.
    output wire [                         CAPACITY-1:0] staged_residual,
    output reg  [                                 15:0] staged_id,
    // Events, one cycle each: packets dropped (0 to 2 at once) and why.
    output reg  [                                  1:0] dropped,
    output reg                                          error_short,
    output reg                                          error_long,
    output reg                                          error_frame,
    output reg                                          error_flag
);

  // Bytes of a beat; also the pixels of a beat of 8-bit pixels, hence the granule of storage.
  localparam SYMBOLS = WIDTH / 8;
  localparam SYMBOL_BITS = $clog2(SYMBOLS);
  localparam GRANULES = (CAPACITY + SYMBOLS - 1) / SYMBOLS;
  // Beats of the longest packet, and one more for what is beyond it.
  localparam BEAT_BITS = 17;

  // The packet's last byte and beat, out of the configuration long before the first packet.
  reg  [         15:0] last_byte_reg;
  reg  [BEAT_BITS-1:0] last_beat_reg;

  reg                  in_packet_reg;
  reg                  bad_reg;
  reg  [BEAT_BITS-1:0] beat_reg;
  // What the next beat is, unless a packet starts with it: the last one of an image, or beyond it.
  reg                  at_last_reg;
  reg                  past_last_reg;
  reg  [         15:0] id_reg;

  wire                 accept = asi_valid && asi_ready;
  wire [BEAT_BITS-1:0] beat = asi_startofpacket ? {BEAT_BITS{1'b0}} : beat_reg;
  wire [BEAT_BITS-1:0] next_beat = beat + 1'b1;
  wire                 lost_end = in_packet_reg && asi_startofpacket;
  wire                 lost_start = !in_packet_reg && !asi_startofpacket;
  wire                 was_bad = bad_reg && in_packet_reg && !asi_startofpacket;
  wire                 at_last = asi_startofpacket ? (last_beat_reg == 0) : at_last_reg;
  wire                 past_last = !asi_startofpacket && past_last_reg;
  wire                 empty_short;
  wire                 empty_long;
  wire                 too_short = asi_endofpacket && !past_last && (!at_last || empty_short);
  wire too_long = past_last || (at_last && (!asi_endofpacket || empty_long));
  wire bad = was_bad || lost_start || asi_error || too_short || too_long;

  assign asi_ready = enable && !staged_valid;

  // Bytes of the beat in order, and the activation bits of a beat of 8-bit pixels; bits behind the
  // end of the image are cleared.
  wire [  WIDTH-1:0] bit_data;
  wire [SYMBOLS-1:0] pixel_data;
  wire [SYMBOLS-1:0] residual_data;
  wire [        7:0] tail_mask = (inputs[2:0] == 3'd0) ? 8'hFF : ~(8'hFF << inputs[2:0]);

  genvar s;
  generate
    if (SYMBOLS == 1) begin : g_narrow
      assign empty_short = asi_empty[0];
      assign empty_long  = 1'b0;
    end else begin : g_wide
      wire [SYMBOL_BITS-1:0] expected_empty = ~last_byte_reg[SYMBOL_BITS-1:0];
      assign empty_short = (asi_empty > expected_empty);
      assign empty_long  = (asi_empty < expected_empty);
    end
    for (s = 0; s < SYMBOLS; s = s + 1) begin : g_symbol
      wire [7:0] symbol = asi_data[WIDTH-1-8*s-:8];
      wire       is_before;
      wire       is_inside;
      if (SYMBOLS == 1) begin : g_narrow_range
        assign is_before = 1'b0;
        assign is_inside = 1'b1;
      end else begin : g_wide_range
        localparam [31:0] INDEX = s;
        // Bytes of the last beat: one bit more than an index needs.
        wire [SYMBOL_BITS:0] count = {1'b0, last_byte_reg[SYMBOL_BITS-1:0]} + 1'b1;
        assign is_before = (count > INDEX[SYMBOL_BITS:0] + 1'b1);
        assign is_inside = (count > INDEX[SYMBOL_BITS:0]);
      end
      wire first_bit = (symbol >= pixel_threshold);
      wire second_bit = (symbol >= (first_bit ? pixel_residual[15:8] : pixel_residual[7:0]));
      assign pixel_data[s] = first_bit && (!at_last || is_inside);
      assign residual_data[s] = second_bit && (!at_last || is_inside);
      assign bit_data[8*s+:8] =
          symbol & ((!at_last || is_before) ? 8'hFF : (is_inside ? tail_mask : 8'h00));
    end
  endgenerate

  // A capacity below one beat leaves the beat's upper bits unused.
  wire unused_data = &{1'b0, bit_data, pixel_data, residual_data};

  // A granule is written by the one beat that carries it; none by a packet known to be bad, which
  // may run on beyond an image's end, where nothing would ever be cleared.
  wire write = accept && !past_last && !lost_start && !was_bad;
  genvar q;
  generate
    for (q = 0; q < GRANULES; q = q + 1) begin : g_granule
      localparam BITS = (CAPACITY - q * SYMBOLS < SYMBOLS) ? CAPACITY - q * SYMBOLS : SYMBOLS;
      wire [SYMBOLS-1:0] data =
          pixel_mode ? pixel_data : bit_data[(q%8)*SYMBOLS+:SYMBOLS];
      wire hit = (beat == (pixel_mode ? q : q / 8));
      if (BITS < SYMBOLS) begin : g_rest
        wire unused = &{1'b0, data[SYMBOLS-1:BITS]};
      end
      always @(posedge clk) begin
        if (!enable && !staged_valid) staged_bits[q*SYMBOLS+:BITS] <= {BITS{1'b0}};
        else if (write && hit) staged_bits[q*SYMBOLS+:BITS] <= data[BITS-1:0];
      end
      if (ORDER == 2) begin : g_residual
        reg [BITS-1:0] residual_reg;
        assign staged_residual[q*SYMBOLS+:BITS] = residual_reg;
        always @(posedge clk) begin
          if (!enable && !staged_valid) residual_reg <= {BITS{1'b0}};
          else if (write && hit && pixel_mode) residual_reg <= residual_data[BITS-1:0];
        end
      end else begin : g_no_residual
        assign staged_residual[q*SYMBOLS+:BITS] = {BITS{1'b0}};
      end
    end
  endgenerate

  always @(posedge clk) begin
    last_byte_reg <= (pixel_mode ? inputs : ((inputs + 7) >> 3)) - 1'b1;
    last_beat_reg <= {1'b0, last_byte_reg >> SYMBOL_BITS};

    dropped <= 2'd0;
    error_short <= 1'b0;
    error_long <= 1'b0;
    error_frame <= 1'b0;
    error_flag <= 1'b0;

    if (staged_valid && staged_ready) staged_valid <= 1'b0;

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
        beat_reg <= next_beat;
        at_last_reg <= (next_beat == last_beat_reg);
        past_last_reg <= at_last;
      end
      id_reg <= id_reg + {15'd0, lost_end} + {15'd0, asi_endofpacket};
      if (asi_endofpacket && !bad) begin
        staged_valid <= 1'b1;
        staged_id <= id_reg + {15'd0, lost_end};
      end
    end else if (!enable) begin
      // The configuration may change now: a packet cut in two by it is not an image.
      bad_reg <= 1'b1;
    end

    if (restart) id_reg <= 16'd0;
    if (reset) begin
      staged_valid <= 1'b0;
      in_packet_reg <= 1'b0;
      bad_reg <= 1'b0;
      id_reg <= 16'd0;
    end
  end

endmodule

`default_nettype wire
