// SPDX-License-Identifier: Apache-2.0
//
// What Yosys has no model of among the cells of an ECP5 in its netlists, as far as it uses them: a
// block of RAM, and a multiplier without registers. By Lattice's FPGA-TN-02204 (memory) and
// FPGA-TN-02205 (DSP); what is not modelled stops the simulation when it begins. The cells with a
// name for each bit, as Lattice has them, stand around these: ecp5_cells.py.

`default_nettype none

// 18 kbit, two ports with one clock. As 2048 x 9 or 1024 x 18 either port reads and writes; as
// 512 x 36 port A writes and port B reads, the low half by DIA and DOA. A word that is read while
// the other port writes to it reads as x.
module ecp5_ram #(
    parameter DATA_WIDTH_A = 18,
    parameter DATA_WIDTH_B = 18,
    parameter REGMODE_A = "NOREG",
    parameter REGMODE_B = "NOREG",
    parameter WRITEMODE_A = "NORMAL",
    parameter WRITEMODE_B = "NORMAL",
    parameter CLKAMUX = "CLKA",
    parameter CLKBMUX = "CLKB",
    // Word i of 18 bits at bit 20*i.
    parameter [64*320-1:0] INITIAL = 0
) (
    input  wire [13:0] ADA,
    input  wire [17:0] DIA,
    input  wire [ 2:0] CSA,
    input  wire        CLKA,
    input  wire        CEA,
    input  wire        WEA,
    input  wire        RSTA,
    output wire [17:0] DOA,
    input  wire [13:0] ADB,
    input  wire [17:0] DIB,
    input  wire [ 2:0] CSB,
    input  wire        CLKB,
    input  wire        CEB,
    input  wire        WEB,
    input  wire        RSTB,
    output wire [17:0] DOB
);

  localparam MODELLED = DATA_WIDTH_A == DATA_WIDTH_B && REGMODE_A == "NOREG"
      && REGMODE_B == "NOREG" && CLKAMUX == "CLKA" && CLKBMUX == "CLKB"
      && (DATA_WIDTH_A == 36 || ((DATA_WIDTH_A == 18 || DATA_WIDTH_A == 9)
          && WRITEMODE_A == "READBEFOREWRITE" && WRITEMODE_B == "READBEFOREWRITE"));

  reg [17:0] memory[0:1023];
  reg [35:0] read_a;
  reg [35:0] read_b;
  reg [35:0] before_a;
  reg [35:0] before_b;

  // By nine bits: a word of more of them has an enable for each in its lowest address bits.
  wire [3:0] bytes_a = (DATA_WIDTH_A == 36) ? ADA[3:0]
      : (DATA_WIDTH_A == 18) ? {2'd0, ADA[1:0]} : 4'd1;
  wire [3:0] bytes_b = (DATA_WIDTH_B == 36) ? 4'd0
      : (DATA_WIDTH_B == 18) ? {2'd0, ADB[1:0]} : 4'd1;
  wire       write_a = CEA && WEA && CSA == 3'd0 && bytes_a != 4'd0;
  wire       write_b = CEB && WEB && CSB == 3'd0 && bytes_b != 4'd0;
  wire       same = (ADA[13:5] == ADB[13:5]) && (DATA_WIDTH_A > 18 || ADA[4] == ADB[4])
      && (DATA_WIDTH_A > 9 || ADA[3] == ADB[3]);

  assign DOA = (DATA_WIDTH_B == 36) ? read_b[17:0] : read_a[17:0];
  assign DOB = (DATA_WIDTH_B == 36) ? read_b[35:18] : read_b[17:0];

  integer i;
  initial begin
    if (!MODELLED) begin
      $display("%m: a mode of DP16KD that is not modelled");
      $finish;
    end
    for (i = 0; i < 1024; i = i + 1) memory[i] = INITIAL[20*i+:18];
  end

  // The word at an address.
  function [35:0] word(input [13:0] address);
    case (DATA_WIDTH_A)
      36: word = {memory[{address[13:5], 1'b1}], memory[{address[13:5], 1'b0}]};
      18: word = {18'd0, memory[address[13:4]]};
      default: word = {27'd0, memory[address[13:4]][9*address[3]+:9]};
    endcase
  endfunction

  // Those nine bits of `data` that `bytes` choose, the others of `old`.
  function [35:0] merged(input [35:0] old, input [35:0] data, input [3:0] bytes);
    integer b;
    begin
      merged = old;
      for (b = 0; b < 4; b = b + 1) if (bytes[b]) merged[9*b+:9] = data[9*b+:9];
    end
  endfunction

  task store(input [13:0] address, input [35:0] value);
    case (DATA_WIDTH_A)
      36: {memory[{address[13:5], 1'b1}], memory[{address[13:5], 1'b0}]} = value;
      18: memory[address[13:4]] = value[17:0];
      default: memory[address[13:4]][9*address[3]+:9] = value[8:0];
    endcase
  endtask

  always @(posedge CLKA) begin
    before_a = word(ADA);
    before_b = word(ADB);
    if (write_a) store(ADA, merged(before_a, {DIB, DIA}, bytes_a));
    if (write_b) store(ADB, merged(before_b, {18'd0, DIB}, bytes_b));
    if (CEA) read_a <= RSTA ? 36'd0 : (write_b && same) ? {36{1'bx}} : before_a;
    if (CEB) read_b <= RSTB ? 36'd0 : (write_a && same) ? {36{1'bx}} : before_b;
  end

  wire unused = &{1'b0, CLKB};

endmodule

// A product in the same cycle.
module ecp5_multiplier (
    input  wire [17:0] A,
    input  wire [17:0] B,
    input  wire        SIGNEDA,
    input  wire        SIGNEDB,
    output wire [35:0] P
);

  wire signed [18:0] a = {SIGNEDA && A[17], A};
  wire signed [18:0] b = {SIGNEDB && B[17], B};

  assign P = a * b;

endmodule

`default_nettype wire
