// SPDX-License-Identifier: Apache-2.0
//
// The weights of a network that is larger than the chip: received over Avalon-ST in the order in
// which the steps consume them, each word used once by all lanes. The counterpart of
// fcc_weight_memory, with the same output.
//
// A packet carries the weight words of one pass; the sender repeats it for every batch. A word
// takes ceil(WIDTH / BEAT) beats, bit 0 of the word in bit 0 of its first beat; surplus bits of the
// last beat are ignored. While one word is used the next one waits and the one behind it arrives,
// so that the stream mostly goes on while the sequencer is between two layers.
//
// A packet that is not in step with the passes would give wrong answers. When the last step of a
// pass does not meet the last word of a packet, or the other way round, or a packet loses its start
// or its end, `fault` rises and `ready` stays low until `reset`: no pass is finished with such
// weights.
//
// Latency: 4 cycles from `take` to `word`, as with the memory; `ready` at the earliest 2 cycles
// after a word's last beat. One beat a cycle while there is room.

`default_nettype none

module fcc_weight_stream #(
    // Bits of a word (>= 1).
    parameter WIDTH = 1,
    // Bits of a beat (>= 8).
    parameter BEAT = 8
) (
    input  wire             clk,
    input  wire             reset,
    input  wire             enable,
    input  wire             asi_valid,
    output wire             asi_ready,
    input  wire [ BEAT-1:0] asi_data,
    input  wire             asi_startofpacket,
    input  wire             asi_endofpacket,
    // The word of the step that is due can be taken; `take` may be given only then.
    output wire             ready,
    input  wire             take,
    // A step is due, and whether it is the last one of a pass.
    input  wire             step_due,
    input  wire             pass_last,
    output reg              fault,
    output reg  [WIDTH-1:0] word
);

  localparam BEATS = (WIDTH + BEAT - 1) / BEAT;
  localparam INDEX_BITS = (BEATS > 1) ? $clog2(BEATS) : 1;
  localparam [31:0] LAST = BEATS - 1;

  // The word that arrives, the word that waits, the word on its way out.
  wire [     WIDTH-1:0] arriving;
  reg  [INDEX_BITS-1:0] index_reg;
  reg                   arrived_reg;
  reg                   arrived_last_reg;
  reg  [     WIDTH-1:0] waiting_reg;
  reg                   waiting_valid_reg;
  reg                   waiting_last_reg;
  reg  [     WIDTH-1:0] word_s1;
  reg  [     WIDTH-1:0] word_s2;
  reg  [     WIDTH-1:0] word_s3;
  reg                   in_packet_reg;

  wire                  accept = asi_valid && asi_ready;
  wire                  last_beat = (index_reg == LAST[INDEX_BITS-1:0]);
  wire                  advance = arrived_reg && (!waiting_valid_reg || take);
  wire                  framed = (asi_startofpacket != in_packet_reg)
      && !(asi_endofpacket && !last_beat);
  wire                  in_step = (waiting_last_reg == pass_last);

  assign asi_ready = enable && !fault && (!arrived_reg || advance);
  assign ready = waiting_valid_reg && in_step && !fault;

  fcc_chunk_shifter #(
      .CHUNK(BEAT),
      .WIDTH(WIDTH)
  ) shifter (
      .clk  (clk),
      .shift(accept),
      .chunk(asi_data),
      .word (arriving)
  );

  always @(posedge clk) begin
    if (advance) begin
      waiting_reg <= arriving;
      waiting_last_reg <= arrived_last_reg;
    end
    word_s1 <= waiting_reg;
    word_s2 <= word_s1;
    word_s3 <= word_s2;
    word <= word_s3;

    if (advance) waiting_valid_reg <= 1'b1;
    else if (take) waiting_valid_reg <= 1'b0;
    if (advance) arrived_reg <= 1'b0;
    if (accept) begin
      index_reg <= last_beat ? {INDEX_BITS{1'b0}} : index_reg + 1'b1;
      arrived_last_reg <= asi_endofpacket;
      if (last_beat) arrived_reg <= 1'b1;
      in_packet_reg <= !asi_endofpacket;
      if (!framed) fault <= 1'b1;
    end
    if (step_due && waiting_valid_reg && !in_step) fault <= 1'b1;

    if (reset) begin
      index_reg <= {INDEX_BITS{1'b0}};
      arrived_reg <= 1'b0;
      waiting_valid_reg <= 1'b0;
      in_packet_reg <= 1'b0;
      fault <= 1'b0;
    end
  end

endmodule

`default_nettype wire
