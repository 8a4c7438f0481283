// SPDX-License-Identifier: Apache-2.0
//
// Where the weights of each step come from: a memory that is loaded through the registers, or a
// stream from outside. It exists so that nothing around it has to know which of the two it is.
//
// Latency: 4 cycles from `address` and `step` to `word`. The memory never makes a step wait; the
// stream does, by a low `ready`. `loaded` counts a word 1 cycle after its last chunk, `overflow`
// comes 1 cycle after a refused chunk of a memory, and with the chunk of a stream.

`default_nettype none

module fcc_weight_source #(
    // Bits of a word (>= 1).
    parameter WIDTH = 1,
    // Words of the memory (>= 2); without meaning for a stream.
    parameter DEPTH = 2,
    // Words of one bank of it (>= 1); without meaning for a stream.
    parameter BANK_DEPTH = 1,
    // 0: a memory. Else a stream, and the bits of its beat (>= 8).
    parameter BEAT = 0,
    // Memory files at power-up: PRESET_weights_bb_sss.hex for slice sss of the words in bank bb
    // (see fcc_weight_memory); "" for none, and for a stream.
    parameter PRESET = "",
    // 1: words of the memory can be written again.
    parameter PATCH = 0
) (
    input  wire                              clk,
    // Forgets how much is loaded.
    input  wire                              reset,
    // Forgets what a stream has brought, and so does the start of a network.
    input  wire                              core_reset,
    input  wire                              start,
    // A stream is taken while the core runs or finishes what it has begun.
    input  wire                              running,
    input  wire                              core_busy,
    // Loading (see fcc_word_loader): again from word 0, and 32 bits of a word.
    input  wire                              restart,
    input  wire                              chunk_valid,
    input  wire [                      31:0] chunk,
    // Writing loaded words again (see fcc_word_loader).
    input  wire                              seek,
    input  wire [         $clog2(DEPTH)-1:0] seek_address,
    input  wire                              patch_valid,
    input  wire [                      31:0] patch_chunk,
    // Words loaded; of a stream as many as any network can need.
    output wire [                      31:0] loaded,
    // The chunk was one too many: there is no room left, or no memory.
    output wire                              overflow,
    // A stream's beats (see fcc_weight_stream).
    input  wire                              asi_valid,
    output wire                              asi_ready,
    input  wire [((BEAT > 0) ? BEAT : 8)-1:0] asi_data,
    input  wire                              asi_startofpacket,
    input  wire                              asi_endofpacket,
    // The step that is due can be given; given; its word in the memory.
    output wire                              ready,
    input  wire                              step,
    input  wire [         $clog2(DEPTH)-1:0] address,
    // A step is due, and whether it is the last one of a pass.
    input  wire                              step_due,
    input  wire                              pass_last,
    // The stream is out of step with the passes.
    output wire                              fault,
    output wire [                 WIDTH-1:0] word
);

  // More than any layer table can ask for.
  localparam [31:0] UNLIMITED = 32'h7FFF_FFFF;
  localparam COUNT_BITS = $clog2(DEPTH + 1);
  `include "fcc_slice.vh"

  generate
    if (BEAT != 0) begin : g_streamed
      assign loaded = UNLIMITED;
      assign overflow = chunk_valid;

      fcc_weight_stream #(
          .WIDTH(WIDTH),
          .BEAT (BEAT)
      ) stream (
          .clk              (clk),
          .reset            (core_reset || start),
          .enable           (running || core_busy),
          .asi_valid        (asi_valid),
          .asi_ready        (asi_ready),
          .asi_data         (asi_data),
          .asi_startofpacket(asi_startofpacket),
          .asi_endofpacket  (asi_endofpacket),
          .ready            (ready),
          .take             (step),
          .step_due         (step_due),
          .pass_last        (pass_last),
          .fault            (fault),
          .word             (word)
      );

      wire unused = &{1'b0, reset, restart, chunk, address, seek, seek_address, patch_valid,
                      patch_chunk};
    end else begin : g_loaded
      wire [(WIDTH+SLICE-1)/SLICE-1:0] write;
      wire [$clog2(DEPTH)-1:0] write_address;
      wire [        WIDTH-1:0] write_data;
      wire [   COUNT_BITS-1:0] words;

      assign loaded = {{(32 - COUNT_BITS) {1'b0}}, words};
      assign ready = 1'b1;
      assign fault = 1'b0;
      assign asi_ready = 1'b0;

      fcc_word_loader #(
          .CHUNK       (32),
          .WIDTH       (WIDTH),
          .SLICE       ((WIDTH < SLICE) ? WIDTH : SLICE),
          .DEPTH       (DEPTH),
          .PRESET_WORDS((PRESET != "") ? DEPTH : 0),
          .PATCH       (PATCH)
      ) loader (
          .clk          (clk),
          .reset        (reset),
          .restart      (restart),
          .chunk_valid  (chunk_valid),
          .chunk        (chunk),
          .seek         (seek),
          .seek_address (seek_address),
          .patch_valid  (patch_valid),
          .patch_chunk  (patch_chunk),
          .write        (write),
          .write_address(write_address),
          .write_data   (write_data),
          .loaded       (words),
          .overflow     (overflow)
      );

      fcc_weight_memory #(
          .WIDTH     (WIDTH),
          .DEPTH     (DEPTH),
          .BANK_DEPTH(BANK_DEPTH),
          .PRESET    ((PRESET != "") ? {PRESET, "_weights"} : ""),
          .SLICE     (SLICE)
      ) memory (
          .clk          (clk),
          .write        (write),
          .write_address(write_address),
          .write_data   (write_data),
          .read_address (address),
          .word         (word)
      );

      wire unused = &{1'b0, core_reset, start, running, core_busy, asi_valid, asi_data,
                      asi_startofpacket, asi_endofpacket, step, step_due, pass_last};
    end
  endgenerate

endmodule

`default_nettype wire
