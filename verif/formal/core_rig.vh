// SPDX-License-Identifier: Apache-2.0
//
// What the proofs of whole cores share, inside their property modules: the core, the sender of
// images, the taker of results. A module that includes this has the sizes of its core (PE, SIMD,
// ORDER, TERNARY, MAX_WIDTH, WEIGHT_DEPTH, THRESHOLD_DEPTH, IMAGE_WIDTH, EMPTY_BITS, two LANES, two
// layers), INPUTS, CLASSES, IMAGES, SCORE_BITS, and `want_scores` and `want_class`; it drives
// `address` and `data` in the WRITES cycles from FIRST_WRITE on, `image_data` by `image`, and
// `image_empty`.

  // ---- what the driver writes

  // Word of the weights of one step, two PEs of two inputs each, running parities of the inverted
  // bits.
  function [31:0] coded(input [1:0] pe_0, input [1:0] pe_1);
    coded = {28'd0, ^(~pe_1), ^(~pe_0), ~pe_1[0], ~pe_0[0]};
  endfunction

  reg [7:0] cycle = 8'd0;
  reg [5:0] address;
  reg [31:0] data;
  wire write = (cycle >= FIRST_WRITE && cycle < FIRST_WRITE + WRITES);

  // ---- the core

  wire asi_image_ready;
  wire asi_weight_ready;
  wire aso_valid;
  wire [31:0] aso_data;
  wire aso_startofpacket, aso_endofpacket;
  wire [1:0] aso_empty;
  wire [31:0] readdata;
  wire readdatavalid, irq;
  reg [1:0] image = 2'd0;
  wire [IMAGE_WIDTH-1:0] image_data;
  wire [EMPTY_BITS-1:0] image_empty;

  xnor_fcc #(
      .PE             (PE),
      .SIMD           (SIMD),
      .LANES          (2),
      .ORDER          (ORDER),
      .TERNARY        (TERNARY),
      .MAX_WIDTH      (MAX_WIDTH),
      .TAPS           (1),
      .MAX_LAYERS     (2),
      .MAX_CLASSES    (CLASSES),
      .WEIGHT_DEPTH   (WEIGHT_DEPTH),
      .BANK_DEPTH     (4),
      .THRESHOLD_DEPTH(THRESHOLD_DEPTH),
      .IMAGE_WIDTH    (IMAGE_WIDTH)
  ) dut (
      .clk                    (clk),
      .reset                  (cycle < FIRST_WRITE),
      .asi_image_valid        (cycle >= FIRST_WRITE && image < IMAGES),
      .asi_image_ready        (asi_image_ready),
      .asi_image_data         (image_data),
      .asi_image_startofpacket(1'b1),
      .asi_image_endofpacket  (1'b1),
      .asi_image_empty        (image_empty),
      .asi_image_error        (1'b0),
      .asi_weight_valid       (1'b0),
      .asi_weight_ready       (asi_weight_ready),
      .asi_weight_data        (8'd0),
      .asi_weight_startofpacket(1'b0),
      .asi_weight_endofpacket (1'b0),
      .aso_result_valid       (aso_valid),
      .aso_result_ready       (aso_ready),
      .aso_result_data        (aso_data),
      .aso_result_startofpacket(aso_startofpacket),
      .aso_result_endofpacket (aso_endofpacket),
      .aso_result_empty       (aso_empty),
      .avs_csr_address        (address),
      .avs_csr_read           (1'b0),
      .avs_csr_write          (write),
      .avs_csr_writedata      (data),
      .avs_csr_readdata       (readdata),
      .avs_csr_readdatavalid  (readdatavalid),
      .ins_csr_irq            (irq)
  );

  // ---- results

  reg [7:0] results = 8'd0;
  reg [7:0] beat = 8'd0;
  reg waited = 1'b0;
  wire signed [SCORE_BITS-1:0] want = want_scores[(results*CLASSES+beat)*SCORE_BITS+:SCORE_BITS];

  always @(posedge clk) begin
    if (cycle != 8'd255) cycle <= cycle + 8'd1;
    if (asi_image_ready && cycle >= FIRST_WRITE && image < IMAGES) image <= image + 2'd1;
    if (aso_valid && !aso_ready) waited <= 1'b1;
    if (cycle >= FIRST_WRITE && aso_valid) begin
      assert (results < IMAGES);
      assert (aso_startofpacket == (beat == 0));
      assert (aso_endofpacket == (beat == CLASSES));
      if (beat == CLASSES) assert (aso_data == {15'd0, want_class[results], 8'd0, results});
      else assert (aso_data == {{(32 - SCORE_BITS) {want[SCORE_BITS-1]}}, want});
      if (aso_ready) begin
        beat <= (beat == CLASSES) ? 8'd0 : beat + 8'd1;
        if (beat == CLASSES) results <= results + 8'd1;
      end
    end
    if (cycle == DEADLINE && !waited) assert (results == IMAGES);
  end
