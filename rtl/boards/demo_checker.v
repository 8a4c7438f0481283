// SPDX-License-Identifier: Apache-2.0
//
// Compares every result with the label of its image, and keeps what was found for the selected one.
//
// A round is one turn of the ring. `worst` is the number of wrong results in the worst round since
// reset: a network that errs shows how often, and a single fault of the hardware stays to be seen.
//
// Latency: `seen`, `found` and `label` follow 2 cycles after the beat with the class.

`default_nettype none

module demo_checker #(
    // Images in the ring, a power of two (>= 2).
    parameter IMAGES = 2,
    // $readmemh file with the label of every image.
    parameter INIT_FILE = ""
) (
    input  wire                      clk,
    input  wire                      reset,
    // Last beat of a result packet of the core.
    input  wire                      result_valid,
    input  wire [              31:0] result_data,
    input  wire [$clog2(IMAGES)-1:0] selected,
    // The selected image has been answered: what was found, and what is right.
    output reg                       seen,
    output reg  [               3:0] found,
    output reg  [               3:0] label,
    output reg  [               9:0] worst
);

  localparam INDEX_BITS = $clog2(IMAGES);

  reg                   valid_s1;
  reg  [          15:0] class_s1;
  reg  [INDEX_BITS-1:0] index_s1;
  wire [           3:0] label_s1;
  reg  [INDEX_BITS-1:0] selected_reg;
  reg  [           9:0] wrong_reg;

  wire                  wrong = (class_s1 != {12'd0, label_s1});
  wire [           9:0] wrongs = wrong_reg + {9'd0, wrong};

  fcc_memory #(
      .WIDTH    (4),
      .DEPTH    (IMAGES),
      .INIT_FILE(INIT_FILE)
  ) labels (
      .clk          (clk),
      .write        (1'b0),
      .write_address({INDEX_BITS{1'b0}}),
      .write_data   (4'd0),
      .read_address (result_data[INDEX_BITS-1:0]),
      .read_data    (label_s1)
  );

  always @(posedge clk) begin
    valid_s1 <= result_valid;
    class_s1 <= result_data[31:16];
    index_s1 <= result_data[INDEX_BITS-1:0];
    selected_reg <= selected;

    if (valid_s1 && index_s1 == selected) begin
      seen  <= 1'b1;
      found <= class_s1[3:0];
      label <= label_s1;
    end else if (selected != selected_reg) begin
      seen <= 1'b0;
    end

    if (valid_s1) begin
      wrong_reg <= wrongs;
      if (&index_s1) begin
        wrong_reg <= 10'd0;
        if (wrongs > worst) worst <= wrongs;
      end
    end

    if (reset) begin
      valid_s1 <= 1'b0;
      seen <= 1'b0;
      wrong_reg <= 10'd0;
      worst <= 10'd0;
    end
  end

  wire unused = &{1'b0, result_data[15:0]};

endmodule

`default_nettype wire
