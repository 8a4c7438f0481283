// SPDX-License-Identifier: Apache-2.0
//
// Takes the label off the packets of labelled images: their last byte, behind the bytes of the
// image. What leaves is a packet as fcc_image_sink knows it, with its label beside the last beat.
//
// Where the label is alone in the last beat, the beat before it is an image's last one. So a beat
// waits here until it is known whether one with pixels follows. A packet that is nothing but a
// label has no image: it leaves with its error set.
//
// While `enable` is low packets pass through, in the same cycle.
//
// Latency: 1 cycle; none for a packet whose label has a beat of its own. One beat a cycle.

`default_nettype none

module fcc_label_splitter #(
    // Bits of a beat: 8, 16, 32, 64, ...
    parameter WIDTH = 8
) (
    input  wire                                          clk,
    input  wire                                          reset,
    // Images have labels; stable while there are images.
    input  wire                                          enable,
    // Beats are accepted; the end of a packet leaves even when no more are.
    input  wire                                          running,
    // Forgets the beat that waits.
    input  wire                                          restart,
    input  wire                                          asi_valid,
    output wire                                          asi_ready,
    input  wire [                             WIDTH-1:0] asi_data,
    input  wire                                          asi_startofpacket,
    input  wire                                          asi_endofpacket,
    input  wire [((WIDTH > 8) ? $clog2(WIDTH/8) : 1)-1:0] asi_empty,
    input  wire                                          asi_error,
    output wire                                          aso_valid,
    input  wire                                          aso_ready,
    output wire [                             WIDTH-1:0] aso_data,
    output wire                                          aso_startofpacket,
    output wire                                          aso_endofpacket,
    output wire [((WIDTH > 8) ? $clog2(WIDTH/8) : 1)-1:0] aso_empty,
    output wire                                          aso_error,
    // Of the packet that ends; without meaning in other beats.
    output wire [                                   7:0] label,
    // The end of a packet waits.
    output wire                                          ending
);

  localparam SYMBOLS = WIDTH / 8;
  localparam EMPTY_BITS = (SYMBOLS > 1) ? $clog2(SYMBOLS) : 1;
  // Symbols that are missing in a beat of one.
  localparam [31:0] ALL_BUT_ONE = SYMBOLS - 1;

  reg                  waiting_reg;
  reg  [    WIDTH-1:0] data_reg;
  reg                  start_reg;
  reg                  end_reg;
  reg [EMPTY_BITS-1:0] empty_reg;
  reg                  error_reg;
  reg  [          7:0] label_reg;

  // The last symbol of the beat, were it the last of a packet.
  reg  [          7:0] last;
  integer              s;
  always @* begin
    last = asi_data[7:0];
    for (s = 1; s < SYMBOLS; s = s + 1) begin
      if (asi_empty == s[EMPTY_BITS-1:0]) last = asi_data[8*s+:8];
    end
  end

  wire alone = asi_endofpacket && asi_empty == ALL_BUT_ONE[EMPTY_BITS-1:0];
  // It ends the packet of the beat that waits, and is gone with it.
  wire closing = alone && !asi_startofpacket && waiting_reg && !end_reg;
  wire accept = asi_valid && asi_ready;
  wire hand_over = aso_valid && aso_ready;

  assign asi_ready = aso_ready && running;
  assign aso_valid = enable ? waiting_reg && (end_reg || (asi_valid && running)) : asi_valid;
  assign aso_data = enable ? data_reg : asi_data;
  assign aso_startofpacket = enable ? start_reg : asi_startofpacket;
  assign aso_endofpacket = enable ? end_reg || closing : asi_endofpacket;
  assign aso_empty = enable ? empty_reg : asi_empty;
  assign aso_error = enable ? error_reg || (closing && asi_error) : asi_error;
  assign label = end_reg ? label_reg : last;
  assign ending = waiting_reg && end_reg;

  always @(posedge clk) begin
    if (accept) begin
      data_reg  <= asi_data;
      start_reg <= asi_startofpacket;
      end_reg   <= asi_endofpacket;
      // A beat of one symbol has none to lose: where it says that it lacks it, that stays.
      empty_reg <= (SYMBOLS == 1) ? asi_empty
          : asi_endofpacket ? asi_empty + 1'b1 : {EMPTY_BITS{1'b0}};
      error_reg <= asi_error || alone;
      label_reg <= last;
    end
    if (accept) waiting_reg <= enable && !closing;
    else if (hand_over) waiting_reg <= 1'b0;
    if (reset || restart) waiting_reg <= 1'b0;
  end

endmodule

`default_nettype wire
