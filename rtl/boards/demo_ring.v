// SPDX-License-Identifier: Apache-2.0
//
// A ring of images in on-chip memory, sent over Avalon-ST one packet after the other, without end.
// After a reset the first packet is image 0: the number that the core gives a packet, modulo
// IMAGES, is the number of its image.
//
// Latency: the first beat is offered 2 cycles after `reset`, then one a cycle while `aso_ready` is
// high. `aso_valid` stays with stable data until `aso_ready`.

`default_nettype none

module demo_ring #(
    // Bits of a beat: 8, 16, 32, 64, ...
    parameter WIDTH = 8,
    // Pixels of an image, one bit each (>= 1).
    parameter INPUTS = 1,
    // Images (>= 2).
    parameter IMAGES = 2,
    // $readmemh file: the beats of image 0, of image 1, ...
    parameter INIT_FILE = ""
) (
    input  wire                                            clk,
    input  wire                                            reset,
    output reg                                             aso_valid,
    input  wire                                            aso_ready,
    output wire [                               WIDTH-1:0] aso_data,
    output reg                                             aso_startofpacket,
    output wire                                            aso_endofpacket,
    output wire [((WIDTH > 8) ? $clog2(WIDTH/8) : 1)-1:0] aso_empty
);

  localparam BYTES = (INPUTS + 7) / 8;
  localparam SYMBOLS = WIDTH / 8;
  localparam BEATS = (BYTES + SYMBOLS - 1) / SYMBOLS;
  localparam EMPTY_BITS = (WIDTH > 8) ? $clog2(SYMBOLS) : 1;
  localparam [31:0] EMPTY = BEATS * SYMBOLS - BYTES;
  localparam BEAT_BITS = (BEATS > 1) ? $clog2(BEATS) : 1;
  localparam [31:0] LAST_BEAT = BEATS - 1;
  localparam DEPTH = IMAGES * BEATS;
  localparam ADDRESS_BITS = $clog2(DEPTH);
  localparam [31:0] LAST_ADDRESS = DEPTH - 1;

  // Of the beat that is offered.
  reg  [   BEAT_BITS-1:0] beat_reg;
  reg  [ADDRESS_BITS-1:0] address_reg;

  wire                    sent = aso_valid && aso_ready;
  wire                    last_address = (address_reg == LAST_ADDRESS[ADDRESS_BITS-1:0]);
  wire [ADDRESS_BITS-1:0] following = last_address ? {ADDRESS_BITS{1'b0}} : address_reg + 1'b1;
  // The memory is read every cycle: a beat that waits is read again.
  wire [ADDRESS_BITS-1:0] address = sent ? following : address_reg;

  assign aso_endofpacket = (beat_reg == LAST_BEAT[BEAT_BITS-1:0]);
  assign aso_empty = aso_endofpacket ? EMPTY[EMPTY_BITS-1:0] : {EMPTY_BITS{1'b0}};

  fcc_memory #(
      .WIDTH    (WIDTH),
      .DEPTH    (DEPTH),
      .INIT_FILE(INIT_FILE)
  ) images (
      .clk          (clk),
      .write        (1'b0),
      .write_address({ADDRESS_BITS{1'b0}}),
      .write_data   ({WIDTH{1'b0}}),
      .read_address (address),
      .read_data    (aso_data)
  );

  always @(posedge clk) begin
    aso_valid   <= 1'b1;
    address_reg <= address;
    if (sent) begin
      aso_startofpacket <= aso_endofpacket;
      beat_reg <= aso_endofpacket ? {BEAT_BITS{1'b0}} : beat_reg + 1'b1;
    end
    if (reset) begin
      aso_valid <= 1'b0;
      address_reg <= {ADDRESS_BITS{1'b0}};
      aso_startofpacket <= 1'b1;
      beat_reg <= {BEAT_BITS{1'b0}};
    end
  end

endmodule

`default_nettype wire
