// SPDX-License-Identifier: Apache-2.0
//
// Self-checking testbench in plain Verilog, and an example of the core in a design of its own: the
// network is in preset memories, so that the core runs as soon as it is out of reset, test
// digits stream in with gaps, results are taken with pauses, and every word is compared.
//
// It ends with a line that begins with PASS or FAIL. The end of a failure is $fatal, the one word
// here that is newer than Verilog-2005: no older one makes Icarus leave with an exit code other
// than 0.
//
// make_vectors.py writes what is read here, for the parameters below.

`timescale 1ns / 1ps
`default_nettype none

module xnor_fcc_tb #(
    parameter PE = 8,
    parameter SIMD = 16,
    parameter LANES = 2,
    parameter MAX_WIDTH = 128,
    parameter TAPS = 1,
    parameter MAX_LAYERS = 3,
    parameter MAX_CLASSES = 10,
    parameter WEIGHT_DEPTH = 172,
    parameter BANK_DEPTH = 256,
    parameter THRESHOLD_DEPTH = 30,
    parameter WEIGHT_STREAM = 0,
    parameter ORDER = 1,
    parameter TERNARY = 0,
    parameter IMAGE_WIDTH = 64,
    parameter PRESET = "preset"
);

  // The vectors: 8-bit pixels, a row of the digit in each beat; after the scores a word with the
  // class and the image's id. The last batch has one image for two lanes.
  localparam IMAGES = 11;
  localparam BEATS = 8;
  localparam CLASSES = 10;
  localparam WORDS = CLASSES + 1;

  // Cycles after which words are no longer waited for.
  localparam PATIENCE = 100000;
  `include "fcc_registers.vh"

  reg [IMAGE_WIDTH-1:0] images[0:IMAGES*BEATS-1];
  reg [31:0] results[0:IMAGES*WORDS-1];

  reg clk = 1'b0;
  reg reset = 1'b1;
  // A different number in every cycle, for gaps and pauses.
  reg [15:0] noise = 16'd1;
  integer cycles = 0;

  // Beats and words that have been handed over, wrong words, and cycles since the last word.
  reg [31:0] beat = 0;
  integer word = 0;
  integer wrong = 0;
  integer quiet = 0;

  reg image_valid = 1'b0;
  wire image_ready;
  wire weight_ready;
  wire result_valid;
  wire result_ready = noise[3] || noise[7];
  wire [31:0] result_data;
  wire result_startofpacket;
  wire result_endofpacket;
  wire [1:0] result_empty;
  reg csr_read = 1'b0;
  wire [31:0] csr_readdata;
  wire csr_readdatavalid;
  wire csr_irq;

  xnor_fcc #(
      .PE             (PE),
      .SIMD           (SIMD),
      .LANES          (LANES),
      .MAX_WIDTH      (MAX_WIDTH),
      .TAPS           (TAPS),
      .MAX_LAYERS     (MAX_LAYERS),
      .MAX_CLASSES    (MAX_CLASSES),
      .WEIGHT_DEPTH   (WEIGHT_DEPTH),
      .BANK_DEPTH     (BANK_DEPTH),
      .THRESHOLD_DEPTH(THRESHOLD_DEPTH),
      .WEIGHT_STREAM  (WEIGHT_STREAM),
      .ORDER          (ORDER),
      .TERNARY        (TERNARY),
      .IMAGE_WIDTH    (IMAGE_WIDTH),
      .PRESET         (PRESET)
  ) core (
      .clk                     (clk),
      .reset                   (reset),
      .asi_image_valid         (image_valid),
      .asi_image_ready         (image_ready),
      .asi_image_data          (images[beat]),
      .asi_image_startofpacket (beat % BEATS == 0),
      .asi_image_endofpacket   (beat % BEATS == BEATS - 1),
      .asi_image_empty         (3'd0),
      .asi_image_error         (1'b0),
      .asi_weight_valid        (1'b0),
      .asi_weight_ready        (weight_ready),
      .asi_weight_data         (8'd0),
      .asi_weight_startofpacket(1'b0),
      .asi_weight_endofpacket  (1'b0),
      .aso_result_valid        (result_valid),
      .aso_result_ready        (result_ready),
      .aso_result_data         (result_data),
      .aso_result_startofpacket(result_startofpacket),
      .aso_result_endofpacket  (result_endofpacket),
      .aso_result_empty        (result_empty),
      .avs_csr_address         (REG_ERROR),
      .avs_csr_read            (csr_read),
      .avs_csr_write           (1'b0),
      .avs_csr_writedata       (32'd0),
      .avs_csr_readdata        (csr_readdata),
      .avs_csr_readdatavalid   (csr_readdatavalid),
      .ins_csr_irq             (csr_irq)
  );

  initial begin
    $readmemh("images.hex", images);
    $readmemh("results.hex", results);
  end

  always #10 clk = !clk;

  always @(posedge clk) begin
    cycles <= cycles + 1;
    reset  <= cycles < 4;
    noise  <= {noise[14:0], noise[15] ^ noise[13] ^ noise[12] ^ noise[10]};
  end

  // A beat stays until it is taken; before the next one there may be a gap.
  wire taken = image_valid && image_ready;
  wire [31:0] next_beat = beat + {31'd0, taken};

  always @(posedge clk) begin
    if (!reset && (taken || !image_valid)) begin
      beat        <= next_beat;
      image_valid <= next_beat < IMAGES * BEATS && (noise[0] || noise[5]);
    end
  end

  always @(posedge clk) begin
    if (!reset && result_valid && result_ready) begin
      word <= word + 1;
      if (word >= IMAGES * WORDS || result_data !== results[word]
          || result_startofpacket !== (word % WORDS == 0)
          || result_endofpacket !== (word % WORDS == WORDS - 1)) begin
        wrong <= wrong + 1;
        if (wrong < 5)
          $display("image %0d, word %0d: %h instead of %h", word / WORDS, word % WORDS,
                   result_data, results[word]);
      end
    end
  end

  // After the last word nothing may follow for a while, and the register of errors must read 0.
  always @(posedge clk) begin
    if (word >= IMAGES * WORDS || cycles > PATIENCE) quiet <= quiet + 1;
    csr_read <= quiet == 1000;
    if (csr_readdatavalid === 1'b1 || quiet > 1010) begin
      if (wrong == 0 && word == IMAGES * WORDS && csr_readdata === 32'd0) begin
        $display("PASS: %0d images, every score and class right", IMAGES);
        $finish;
      end else begin
        $display("FAIL: %0d of %0d words came, %0d of them wrong, ERROR is %h", word,
                 IMAGES * WORDS, wrong, csr_readdata);
        $fatal;
      end
    end
  end

endmodule

`default_nettype wire
