// SPDX-License-Identifier: Apache-2.0
//
// Population counts of many sizes side by side, so that one build tests them all: whole
// xnor_popcounts, and the coders and counters they are made of. Every instance gets the low bits of
// the same inputs.

`default_nettype none

module popcount_sizes #(
    // Synapses and bits of the longest words; less for a simulator that is slow with long ones.
    parameter LONGEST = 262
) (
    input  wire                clk,
    // Coded words of 3 PEs, synapse k of PE p at bit k*3 + p.
    input  wire [       785:0] activation,
    input  wire [       785:0] weight,
    // Popcount n of 3 PEs at bit n*32, and the SIMD of popcount n at bit n*16.
    output wire [    48*32-1:0] counts,
    output wire [    48*16-1:0] simds,
    // SIMD = 13 with 1 and with 32 PEs; PE p sees what PE p mod 3 of the others sees.
    output wire [          3:0] count_alone,
    output wire [     4*32-1:0] count_many,
    // Counter n of planes of 3 bits at bit n*32, its planes of weight 2 at bit n*16. All its planes
    // are the low bits of `activation`.
    output wire [    41*32-1:0] plane_counts,
    output wire [    41*16-1:0] carries,
    // Coder n at bit n*256, its width at bit n*16, for the low bits of `activation`.
    output wire [   48*256-1:0] coded,
    output wire [    48*16-1:0] widths,
    // 5:3 counter of the five lowest fields of 32 bits of `activation`: sum, twos, fours.
    output wire [         95:0] five
);

  localparam COUNT = 48;
  // After 1 to 40.
  localparam [8*16-1:0] LONG_SIMDS = {
    16'd262, 16'd256, 16'd205, 16'd131, 16'd128, 16'd127, 16'd114, 16'd100
  };
  localparam [8*16-1:0] LONG_WIDTHS = {
    16'd255, 16'd200, 16'd37, 16'd2, 16'd256, 16'd205, 16'd128, 16'd127
  };

  localparam COUNTERS = 41;
  // After 0 to 32.
  localparam [8*16-1:0] LONG_CARRIES = {
    16'd261, 16'd255, 16'd131, 16'd128, 16'd127, 16'd102, 16'd64, 16'd63
  };

  wire [13*32-1:0] many_activation;
  wire [13*32-1:0] many_weight;
  wire [     12:0] alone_activation;
  wire [     12:0] alone_weight;

  genvar n;
  genvar p;
  generate
    for (n = 0; n < COUNT; n = n + 1) begin : g_popcount
      localparam [31:0] SIZE = (n < 40) ? n + 1 : LONG_SIMDS[(n%8)*16+:16];
      localparam [31:0] SIMD = (SIZE < LONGEST) ? SIZE : LONGEST;
      wire [$clog2(SIMD+1)*3-1:0] count;
      xnor_popcount #(
          .PE  (3),
          .SIMD(SIMD)
      ) popcount (
          .clk       (clk),
          .activation(activation[SIMD*3-1:0]),
          .weight    (weight[SIMD*3-1:0]),
          .count     (count)
      );
      assign counts[n*32+:32] = count;
      assign simds[n*16+:16] = SIMD[15:0];
    end

    for (n = 0; n < 13; n = n + 1) begin : g_synapse
      assign alone_activation[n] = activation[n*3];
      assign alone_weight[n] = weight[n*3];
      for (p = 0; p < 32; p = p + 1) begin : g_pe
        assign many_activation[n*32+p] = activation[n*3+p%3];
        assign many_weight[n*32+p] = weight[n*3+p%3];
      end
    end

    for (n = 0; n < COUNTERS; n = n + 1) begin : g_planes
      localparam [31:0] SIZE = (n < 33) ? n : LONG_CARRIES[((n+7)%8)*16+:16];
      localparam [31:0] CARRIES = (SIZE < LONGEST) ? SIZE : LONGEST - 1;
      wire [3*$clog2(2*CARRIES+2)-1:0] count;
      fcc_plane_counter #(
          .WIDTH  (3),
          .CARRIES(CARRIES)
      ) counter (
          .clk   (clk),
          .planes(activation[3*(CARRIES+1)-1:0]),
          .count (count)
      );
      assign plane_counts[n*32+:32] = count;
      assign carries[n*16+:16] = CARRIES[15:0];
    end

    for (n = 0; n < COUNT; n = n + 1) begin : g_coder
      localparam [31:0] SIZE = (n < 40) ? n + 1 : LONG_WIDTHS[(n%8)*16+:16];
      localparam [31:0] WIDTH = (SIZE < LONGEST) ? SIZE : LONGEST;
      wire [WIDTH-1:0] mine;
      fcc_parity_coder #(
          .WIDTH(WIDTH)
      ) coder (
          .clk  (clk),
          .bits (activation[WIDTH-1:0]),
          .coded(mine)
      );
      assign coded[n*256+:256] = mine;
      assign widths[n*16+:16] = WIDTH[15:0];
    end
  endgenerate

  xnor_popcount #(
      .PE  (1),
      .SIMD(13)
  ) alone (
      .clk       (clk),
      .activation(alone_activation),
      .weight    (alone_weight),
      .count     (count_alone)
  );

  xnor_popcount #(
      .PE  (32),
      .SIMD(13)
  ) many (
      .clk       (clk),
      .activation(many_activation),
      .weight    (many_weight),
      .count     (count_many)
  );

  fcc_counter_5to3 #(
      .WIDTH(32)
  ) counter_5to3 (
      .a    (activation[0+:32]),
      .b    (activation[32+:32]),
      .c    (activation[64+:32]),
      .d    (activation[96+:32]),
      .e    (activation[128+:32]),
      .sum  (five[31:0]),
      .twos (five[63:32]),
      .fours(five[95:64])
  );

endmodule

`default_nettype wire
