// SPDX-License-Identifier: Apache-2.0
//
// Fills the lanes with images and decides when a batch starts: when all lanes are full, or when at
// least one image waits and no further one has come for `timeout` cycles (a partial batch). The
// lanes' images stand here, beside the rings, so that the next batch loads while one is computed.
//
// Where lanes work in pairs an image takes two: its first plane goes to the higher one, its
// residual plane to the lower one, or its first plane where the image has but one.
//
// Latency: `batch_valid` one cycle after the image that completes the batch was taken; a lone image
// waits `timeout` cycles more. `staged_ready` drops while all lanes are full.

`default_nettype none

module fcc_batcher #(
    // Images in a batch (>= 1).
    parameter LANES = 1,
    // Activation bits of an image (>= 1).
    parameter CAPACITY = 1,
    // Planes of an image (1 or 2); 2 only where LANES is even.
    parameter ORDER = 1
) (
    input  wire                           clk,
    input  wire                           reset,
    // Low: do not wait for more images, finish what is there.
    input  wire                           enable,
    input  wire [                   31:0] timeout,
    // Free-running cycle counter, for the latency of the oldest image of a batch.
    input  wire [                   31:0] now,
    input  wire                           staged_valid,
    output wire                           staged_ready,
    input  wire [           CAPACITY-1:0] staged_bits,
    input  wire [           CAPACITY-1:0] staged_residual,
    // Two lanes carry an image, and it has two planes. Stable while there are images.
    input  wire                           pairs,
    input  wire                           planes,
    input  wire [                   15:0] staged_id,
    input  wire [                    7:0] staged_label,
    output wire                           batch_valid,
    // The sequencer has begun with the batch; it is not offered again.
    input  wire                           batch_taken,
    // The rings take the images at the end of this cycle.
    input  wire                           load_image,
    // Lane l at bit l*CAPACITY.
    output reg  [     LANES*CAPACITY-1:0] images,
    output wire                           waiting,
    // The batch in the rings, from the cycle after `load_image` to the next one: lanes taken, ids,
    // labels.
    output reg  [$clog2(LANES+1)-1:0] batch_count,
    output reg  [           LANES*16-1:0] batch_ids,
    output reg  [            LANES*8-1:0] batch_labels,
    // Value of `now` in the cycle of the oldest image's last beat.
    output reg  [                   31:0] batch_stamp
);

  localparam COUNT_BITS = $clog2(LANES + 1);
  localparam [31:0] ALL = LANES;

  reg [COUNT_BITS-1:0] count_reg;
  reg [LANES*16-1:0] ids_reg;
  reg [LANES*8-1:0] labels_reg;
  reg [31:0] stamp_reg;
  // Cycles left to wait for another image, and whether they are over.
  reg [31:0] left_reg;
  reg expired_reg;
  reg taken_reg;
  // Cycle of the staged image's last beat, kept while the image waits for a lane.
  reg [31:0] staged_stamp_reg;
  reg staged_seen_reg;

  wire paired = (ORDER == 2) && pairs;
  wire [COUNT_BITS-1:0] next_count = count_reg + 1'b1;
  wire full = (count_reg == ALL[COUNT_BITS-1:0]);
  wire expired = expired_reg || !enable;
  wire take = staged_valid && staged_ready;
  // The last beat was accepted in the cycle before the image was first staged.
  wire [31:0] staged_stamp = staged_seen_reg ? staged_stamp_reg : now - 32'd1;

  assign staged_ready = !full && !load_image;
  assign waiting = (count_reg != 0);
  assign batch_valid = !taken_reg && waiting && (full || expired);

  genvar l;
  generate
    for (l = 0; l < LANES; l = l + 1) begin : g_lane
      localparam [31:0] LANE = l;
      // The lower lane of a pair, or the higher one.
      localparam LOW = (l % 2 == 0);
      wire mine = (count_reg == LANE[COUNT_BITS-1:0])
          || (!LOW && paired && next_count == LANE[COUNT_BITS-1:0]);
      wire residual = (ORDER == 2) && LOW && planes;
      always @(posedge clk) begin
        if (take && mine) begin
          images[l*CAPACITY+:CAPACITY] <= residual ? staged_residual : staged_bits;
          ids_reg[l*16+:16] <= staged_id;
          labels_reg[l*8+:8] <= staged_label;
        end
      end
    end
  endgenerate

  always @(posedge clk) begin
    staged_seen_reg <= staged_valid && !take;
    staged_stamp_reg <= staged_stamp;

    if (take) begin
      count_reg <= paired ? next_count + 1'b1 : next_count;
      left_reg <= timeout;
      expired_reg <= (timeout == 32'd0);
      if (count_reg == 0) stamp_reg <= staged_stamp;
    end else if (!expired_reg) begin
      left_reg <= left_reg - 32'd1;
      expired_reg <= (left_reg == 32'd1);
    end

    if (batch_taken) taken_reg <= 1'b1;
    if (load_image) begin
      taken_reg <= 1'b0;
      count_reg <= {COUNT_BITS{1'b0}};
      batch_count <= count_reg;
      batch_ids <= ids_reg;
      batch_labels <= labels_reg;
      batch_stamp <= stamp_reg;
    end

    if (reset) begin
      count_reg <= {COUNT_BITS{1'b0}};
      taken_reg <= 1'b0;
      staged_seen_reg <= 1'b0;
    end
  end

endmodule

`default_nettype wire
