// SPDX-License-Identifier: Apache-2.0
//
// A memory of one write and one read port, in the form that Quartus, Yosys and Verilator all infer
// as block RAM: one clock, read registered, no reset, no read-during-write promise (the loader
// never writes while the core reads).
//
// Latency: 1 cycle from `read_address` to `read_data`.

`default_nettype none

module fcc_memory #(
    // Bits of a word (>= 1); wide words are for fcc_memory_bank.
    parameter WIDTH = 1,
    // Words (>= 1).
    parameter DEPTH = 1,
    // $readmemh file with the contents at power-up; "" leaves them undefined.
    parameter INIT_FILE = ""
) (
    input  wire                                        clk,
    input  wire                                        write,
    input  wire [((DEPTH > 1) ? $clog2(DEPTH) : 1)-1:0] write_address,
    input  wire [                           WIDTH-1:0] write_data,
    input  wire [((DEPTH > 1) ? $clog2(DEPTH) : 1)-1:0] read_address,
    output reg  [                           WIDTH-1:0] read_data
);

  // For Yosys: where its block RAM promises less than this text says of a word that is read while
  // it is written (ECP5), nothing is built around it.
  (* no_rw_check *)
  reg [WIDTH-1:0] memory[0:DEPTH-1];

  generate
    if (INIT_FILE != "") begin : g_preset
      initial $readmemh(INIT_FILE, memory);
    end
  endgenerate

  always @(posedge clk) begin
    if (write) memory[write_address] <= write_data;
    read_data <= memory[read_address];
  end

endmodule

`default_nettype wire
