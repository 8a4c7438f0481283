// SPDX-License-Identifier: Apache-2.0
//
// The reset of the board: asserted from power-up, and as long as `run` (a key, the lock of a PLL)
// is low. Asserted and released with the clock, so that it is timed like any other signal.
//
// Latency: `reset` falls 6 cycles after `run` rose, and rises 3 cycles after it fell.

`default_nettype none

module reset_synchroniser (
    input  wire clk,
    // Asynchronous.
    input  wire run,
    output reg  reset
);

  wire       run_s2;
  reg  [2:0] held_reg;

  synchroniser #(
      .WIDTH(1)
  ) synchroniser (
      .clk   (clk),
      .level (run),
      .stable(run_s2)
  );

  // The FPGA comes up with these values.
  initial begin
    held_reg = 3'd0;
    reset = 1'b1;
  end

  always @(posedge clk) begin
    held_reg <= {held_reg[1:0], run_s2};
    reset    <= !(run_s2 && (&held_reg));
  end

endmodule

`default_nettype wire
