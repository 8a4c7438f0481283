// SPDX-License-Identifier: Apache-2.0
//
// Some bits of every word of a memory, with an address of their own: a net that reached all blocks
// of RAM of a memory would be the slowest one of the core. Synthesis would merge the copies, hence
// the attributes: keep_hierarchy for Yosys, dont_merge for Quartus.
//
// Latency: 2 cycles from `read_address` to `read_data`. What is written is taken one cycle after
// `write` and `write_address`.

`default_nettype none

(* keep_hierarchy = "yes" *)
module fcc_memory_slice #(
    // Bits (>= 1).
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
    output wire [                           WIDTH-1:0] read_data
);

  localparam ADDRESS_BITS = (DEPTH > 1) ? $clog2(DEPTH) : 1;

  (* dont_merge *) reg write_s1;
  (* dont_merge *) reg [ADDRESS_BITS-1:0] write_address_s1;
  (* dont_merge *) reg [ADDRESS_BITS-1:0] read_address_s1;

  always @(posedge clk) begin
    write_s1 <= write;
    write_address_s1 <= write_address;
    read_address_s1 <= read_address;
  end

  fcc_memory #(
      .WIDTH    (WIDTH),
      .DEPTH    (DEPTH),
      .INIT_FILE(INIT_FILE)
  ) words (
      .clk          (clk),
      .write        (write_s1),
      .write_address(write_address_s1),
      .write_data   (write_data),
      .read_address (read_address_s1),
      .read_data    (read_data)
  );

endmodule

`default_nettype wire
