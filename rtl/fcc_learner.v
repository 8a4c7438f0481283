// SPDX-License-Identifier: Apache-2.0
//
// Learning of the output layer: wires the rule, the walk, the latents and the coder of their signs,
// keeps the next batch out while a batch may still move weights, and remembers where the output
// layer's weights begin.
//
//   scores -> fcc_learn_moves -> fcc_learn_walk -> fcc_latents -> fcc_sign_coder -> weight memory
//
// Schedule: `hold` from the cycle behind `load_image` on, until the results of the batch are on
// their way and nothing of it moves, 3 cycles behind `results_sent`, or until what it moves is
// written: a walk later (see fcc_learn_walk). So every image meets the weights that all batches
// before its own have left. The ring is turned only meanwhile, when nothing else is in the lanes.
// While learning is off nothing of this happens.

`default_nettype none

module fcc_learner #(
    // Images in a batch (>= 1).
    parameter LANES = 1,
    // Neurons of a group (>= 1).
    parameter PE = 1,
    // Synapses of a word (>= 1).
    parameter SIMD = 1,
    // Words of the ring (>= 1).
    parameter RING = 1,
    // Classes that can learn (1 to 32).
    parameter CLASSES = 1,
    // Bits of a signed score (3 to 32).
    parameter SCORE_BITS = 3,
    // Most inputs of a layer (>= 1).
    parameter MAX_WIDTH = 1,
    // Entries of the layer table (>= 1).
    parameter MAX_LAYERS = 1,
    // Most classes of a network (>= CLASSES).
    parameter MAX_CLASSES = 1,
    // Words of the weight memory (>= 2).
    parameter WEIGHT_DEPTH = 2
) (
    input  wire                             clk,
    // Forgets settings and latents.
    input  wire                             reset,
    // Forgets what is under way and what has been counted.
    input  wire                             core_reset,
    // Registers (see fcc_learn_registers).
    input  wire [                      5:0] avs_address,
    input  wire                             avs_read,
    input  wire                             avs_write,
    input  wire [                     31:0] avs_writedata,
    output wire [                     31:0] avs_readdata,
    output wire [                      5:0] csr_address,
    input  wire [                     31:0] csr_readdata,
    input  wire                             locked,
    // The network: stable from the start of its check on.
    input  wire [        32*MAX_LAYERS-1:0] table_entries,
    input  wire [                     15:0] layers,
    input  wire [                     15:0] classes,
    // Learning is on; it is asked for, but the network cannot learn, or its latents are not there.
    output wire                             enable,
    output wire                             bad_table,
    output wire                             not_loaded,
    // A latent row too many was written.
    output wire                             overflow,
    // A batch has begun. Its labels, lane l at bit 8*l, and its scores (see fcc_learn_moves).
    input  wire                             load_image,
    input  wire [              LANES*8-1:0] labels,
    input  wire                             score_valid,
    input  wire [        $clog2(LANES+1)-1:0] score_lane,
    input  wire [    $clog2(MAX_CLASSES+1)-1:0] score_class,
    input  wire [           SCORE_BITS-1:0] score,
    input  wire                             results_sent,
    output wire                             bad_label,
    // No batch may begin.
    output wire                             hold,
    // Steps, of the output layer, and the addresses of their weight words.
    input  wire                             step,
    input  wire                             output_layer,
    input  wire [ $clog2(WEIGHT_DEPTH)-1:0] weight_address,
    // The ring turns; what its first tap shows 3 cycles later, of lane l at bit l*SIMD.
    output wire                             rotate,
    input  wire [           LANES*SIMD-1:0] shown,
    // New weight words (see fcc_word_loader).
    output wire                             seek,
    output wire [ $clog2(WEIGHT_DEPTH)-1:0] seek_address,
    output wire                             patch_valid,
    output wire [                     31:0] patch_chunk
);

  localparam GROUPS = (CLASSES + PE - 1) / PE;
  localparam GROUP_BITS = (GROUPS > 1) ? $clog2(GROUPS) : 1;
  localparam ROW_BITS = (RING * SIMD > 1) ? $clog2(RING * SIMD) : 1;
  localparam BIT_BITS = (SIMD > 1) ? $clog2(SIMD) : 1;
  localparam ADDRESS_BITS = (MAX_WIDTH > 1) ? $clog2(MAX_WIDTH) : 1;
  localparam COUNT_BITS = $clog2(((MAX_WIDTH > 1) ? MAX_WIDTH : 2) + 1);
  localparam CLASS_BITS = $clog2(MAX_CLASSES + 1);
  localparam LAYER_BITS = $clog2(MAX_LAYERS + 1);
  // From the walk's `take` to the bits of the ring's word, and to the signs.
  localparam SELECT = 2;
  localparam SIGNS = 5;

  reg                           hold_reg;
  // From the results to the walk.
  reg  [                   1:0] sent_reg;
  // The output layer's first step has been; its weight word.
  reg                           seen_reg;
  reg  [$clog2(WEIGHT_DEPTH)-1:0] base_reg;
  reg  [                  31:0] entry_reg;
  reg                           is_image_reg;

  wire [                   7:0] margin;
  wire [                  14:0] inputs;
  wire                          latent_restart;
  wire                          latent_valid;
  wire                          latent_write;
  wire [      ADDRESS_BITS-1:0] latent_row;
  reg                           latent_write_s1;
  reg  [      ADDRESS_BITS-1:0] latent_row_s1;
  wire [         CLASSES*8-1:0] latent_word;
  wire [        COUNT_BITS-1:0] rows_loaded;
  wire [      ADDRESS_BITS-1:0] read_row;
  wire [         CLASSES*8-1:0] word;
  wire [     CLASSES*LANES-1:0] moves;
  wire [     CLASSES*LANES-1:0] ups;
  wire                          learnt;
  wire                          moved;
  wire                          walk_done;
  wire                          take;
  wire [          ROW_BITS-1:0] row;
  wire [          BIT_BITS-1:0] position;
  wire                          first;
  wire [        GROUP_BITS-1:0] group;
  wire                          moving;
  wire [                   4:0] place;
  wire                          give;
  wire [           CLASSES-1:0] negative;

  wire start = sent_reg[1] && |moves;
  wire exists = {{(32 - ROW_BITS) {1'b0}}, row} < {17'd0, inputs};
  wire [LAYER_BITS-1:0] last_layer = layers[LAYER_BITS-1:0] - 1'b1;

  // Groups of PEs beyond those that the classes need would have no latents.
  assign bad_table = enable
      && ({16'd0, classes} > CLASSES || {17'd0, entry_reg[30:16]} > GROUPS || inputs == 0);
  assign not_loaded = enable && {{(32 - COUNT_BITS) {1'b0}}, rows_loaded} < {17'd0, inputs};
  assign hold = hold_reg;
  // A walk that is cut off leaves nothing of an incomplete word behind, nor does it find any.
  assign seek = start || (core_reset && hold_reg);
  assign seek_address = base_reg;

  fcc_learn_registers #(
      .CLASSES (CLASSES),
      .ROW_BITS(ADDRESS_BITS)
  ) registers (
      .clk          (clk),
      .reset        (reset),
      .core_reset   (core_reset),
      .avs_address  (avs_address),
      .avs_read     (avs_read),
      .avs_write    (avs_write),
      .avs_writedata(avs_writedata),
      .avs_readdata (avs_readdata),
      .csr_address  (csr_address),
      .csr_readdata (csr_readdata),
      .locked       (locked),
      .enable       (enable),
      .margin       (margin),
      .inputs       (inputs),
      .restart      (latent_restart),
      .chunk_valid  (latent_valid),
      .read_row     (read_row),
      .word         (word),
      .learnt       (learnt),
      .moved        (moved)
  );

  fcc_word_loader #(
      .CHUNK       (32),
      .WIDTH       (CLASSES * 8),
      .SLICE       (CLASSES * 8),
      // One more than there may be, where a memory of one row would be none.
      .DEPTH       ((MAX_WIDTH > 1) ? MAX_WIDTH : 2),
      .PRESET_WORDS(0),
      .PATCH       (0)
  ) loader (
      .clk          (clk),
      .reset        (reset),
      .restart      (latent_restart),
      .chunk_valid  (latent_valid),
      .chunk        (avs_writedata),
      .seek         (1'b0),
      .seek_address ({ADDRESS_BITS{1'b0}}),
      .patch_valid  (1'b0),
      .patch_chunk  (32'd0),
      .write        (latent_write),
      .write_address(latent_row),
      .write_data   (latent_word),
      .loaded       (rows_loaded),
      .overflow     (overflow)
  );

  fcc_learn_moves #(
      .LANES      (LANES),
      .CLASSES    (CLASSES),
      .MAX_CLASSES(MAX_CLASSES),
      .SCORE_BITS (SCORE_BITS)
  ) learn_moves (
      .clk        (clk),
      .reset      (core_reset),
      .enable     (enable),
      .classes    (classes[CLASS_BITS-1:0]),
      .margin     (margin),
      .clear      (load_image),
      .labels     (labels),
      .score_valid(score_valid),
      .score_lane (score_lane),
      .score_class(score_class),
      .score      (score),
      .moves      (moves),
      .ups        (ups),
      .learnt     (learnt),
      .moved      (moved),
      .bad_label  (bad_label)
  );

  fcc_learn_walk #(
      .PE        (PE),
      .SIMD      (SIMD),
      .RING      (RING),
      .ROW_BITS  (ROW_BITS),
      .BIT_BITS  (BIT_BITS),
      .GROUP_BITS(GROUP_BITS)
  ) walk (
      .clk     (clk),
      .reset   (core_reset),
      .start   (start),
      .words   ({1'b0, entry_reg[14:0]}),
      .groups  ({1'b0, entry_reg[30:16]}),
      .is_image(is_image_reg),
      .done    (walk_done),
      .rotate  (rotate),
      .take    (take),
      .row     (row),
      .position(position),
      .first   (first),
      .group   (group),
      .moving  (moving),
      .place   (place),
      .give    (give)
  );

  // Beside the latents: the bit to select; where its signs go.
  localparam TAG_BITS = 1 + GROUP_BITS + 5;
  reg  [  SELECT*BIT_BITS-1:0] position_reg;
  reg  [            SIGNS-1:0] take_reg;
  reg  [            SIGNS-1:0] give_reg;
  reg  [   SIGNS*TAG_BITS-1:0] tag_reg;
  reg  [            LANES-1:0] x_reg;
  wire                         tag_first;
  wire [       GROUP_BITS-1:0] tag_group;
  wire [                  4:0] tag_place;
  assign {tag_first, tag_group, tag_place} = tag_reg[SIGNS*TAG_BITS-1-:TAG_BITS];

  always @(posedge clk) begin
    position_reg <= {position_reg[(SELECT-1)*BIT_BITS-1:0], position};
    take_reg <= {take_reg[SIGNS-2:0], take};
    give_reg <= {give_reg[SIGNS-2:0], give};
    tag_reg <= {tag_reg[(SIGNS-1)*TAG_BITS-1:0], first, group, place};
    // What is taken late is forgotten with the next `start`.
    if (core_reset) give_reg <= {SIGNS{1'b0}};
  end

  genvar l;
  generate
    for (l = 0; l < LANES; l = l + 1) begin : g_lane
      wire [SIMD-1:0] lane_word = shown[l*SIMD+:SIMD];
      always @(posedge clk) x_reg[l] <= lane_word[position_reg[SELECT*BIT_BITS-1-:BIT_BITS]];
    end
  endgenerate

  fcc_latents #(
      .LANES   (LANES),
      .CLASSES (CLASSES),
      .DEPTH   (MAX_WIDTH),
      .ROW_BITS(ROW_BITS)
  ) latents (
      .clk      (clk),
      .reset    (core_reset),
      .take     (take),
      .row      (row),
      .exists   (exists),
      .moving   (moving),
      .x        (x_reg),
      .moves    (moves),
      .ups      (ups),
      .negative (negative),
      .load     (latent_write_s1),
      .load_row (latent_row_s1),
      .load_word(latent_word),
      .read_row (read_row),
      .word     (word)
  );

  fcc_sign_coder #(
      .PE        (PE),
      .CLASSES   (CLASSES),
      .GROUP_BITS(GROUP_BITS)
  ) sign_coder (
      .clk        (clk),
      .clear      (start || core_reset),
      .take       (take_reg[SIGNS-1]),
      .first      (tag_first),
      .group      (tag_group),
      .place      (tag_place),
      .negative   (negative),
      .give       (give_reg[SIGNS-1]),
      .chunk_valid(patch_valid),
      .chunk      (patch_chunk)
  );

  always @(posedge clk) begin
    latent_write_s1 <= latent_write;
    latent_row_s1 <= latent_row;
    entry_reg <= table_entries[last_layer*32+:32];
    is_image_reg <= (layers == 16'd1);
    if (load_image) seen_reg <= 1'b0;
    else if (step && output_layer && !seen_reg) begin
      seen_reg <= 1'b1;
      base_reg <= weight_address;
    end
    sent_reg <= {sent_reg[0], results_sent && enable};
    if (load_image) hold_reg <= enable;
    else if (walk_done || (sent_reg[1] && !start)) hold_reg <= 1'b0;
    if (core_reset) begin
      sent_reg <= 2'd0;
      hold_reg <= 1'b0;
    end
  end

  // The table has been checked to fit the geometry, so that the upper bits are zero.
  wire unused = &{1'b0, entry_reg, classes, layers};

endmodule

`default_nettype wire
