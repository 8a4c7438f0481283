// SPDX-License-Identifier: Apache-2.0
//
// XNOR and population count of one word for PE neurons at once, bit-sliced across the PEs, from
// parity-coded words.
//
// A chain of full adders that counts the XNORs y_0, y_1, ... of a word hands on one sum bit: the
// running parity S_k = y_0 ^ ... ^ y_k. Parity is linear, so that S_k = X_k ^ W_k with X_k and W_k
// the running parities of the activations and of the inverted weights, which are computed where a
// word enters (fcc_parity_coder) and where the weights are packed. What is left of the full adder
// over y_(k), y_(k+1) is its carry, a function of S_(k-1), S_k and S_(k+1) alone:
//   popcount = 2 * sum over odd k of majority(S_(k-1), S_(k-1) ^ S_k, S_k ^ S_(k+1)) + S_(SIMD-1)
// and an even SIMD ends in a half adder. Every fourth parity is a node of its own that two carries
// share: a carry has five inputs then, and three functions of half an ALM serve four synapses.
//
// Latency: 3 cycles, one word a cycle, never stalls. The pipeline carries no valid bit.

`default_nettype none

module xnor_popcount #(
    // Neurons side by side (>= 1).
    parameter PE   = 1,
    // Synapses per PE (>= 1).
    parameter SIMD = 1
) (
    input  wire                         clk,
    // Running parities; synapse k of all PEs at bit k*PE.
    input  wire [          SIMD*PE-1:0] activation,
    input  wire [          SIMD*PE-1:0] weight,
    // Bit b of every PE's count at bit b*PE.
    output reg  [$clog2(SIMD+1)*PE-1:0] count
);

  localparam COUNT_BITS = $clog2(SIMD + 1);
  localparam CARRIES = SIMD / 2;

  wire [SIMD*PE-1:0] parity;
  // The parity of the whole word, then the carries.
  wire [(CARRIES+1)*PE-1:0] planes;
  wire [COUNT_BITS*PE-1:0] total;

  genvar k;
  generate
    for (k = 0; k < SIMD; k = k + 1) begin : g_parity
      if (k % 4 == 2) begin : g_node
        (* keep *) wire [PE-1:0] node;
        assign node = activation[k*PE+:PE] ^ weight[k*PE+:PE];
        assign parity[k*PE+:PE] = node;
      end else begin : g_wire
        assign parity[k*PE+:PE] = activation[k*PE+:PE] ^ weight[k*PE+:PE];
      end
    end

    assign planes[PE-1:0] = parity[(SIMD-1)*PE+:PE];
    for (k = 1; k < SIMD; k = k + 2) begin : g_carry
      wire [PE-1:0] s = parity[(k-1)*PE+:PE];
      wire [PE-1:0] y = s ^ parity[k*PE+:PE];
      if (k + 1 < SIMD) begin : g_full
        wire [PE-1:0] z = parity[k*PE+:PE] ^ parity[(k+1)*PE+:PE];
        assign planes[(k+1)/2*PE+:PE] = (s & y) | (s & z) | (y & z);
      end else begin : g_half
        assign planes[(k+1)/2*PE+:PE] = s & y;
      end
    end
  endgenerate

  fcc_plane_counter #(
      .WIDTH  (PE),
      .CARRIES(CARRIES)
  ) counter (
      .clk   (clk),
      .planes(planes),
      .count (total)
  );

  always @(posedge clk) count <= total;

endmodule

`default_nettype wire
