// SPDX-License-Identifier: Apache-2.0
//
// Takes the frames of the serial link (fcc_uart_host has their format) out of the bytes that come,
// and hands over the header and payload of those whose checksum is right: what has been damaged
// on the way has no effect at all.
//
// A byte without a stop bit, a wrong checksum, a frame that does not fit the buffer, and silence in
// mid-frame are faults. After a fault, which stands until `fault_taken`, after `flush` and after a
// reset, everything is ignored until the line has been silent: that is where a frame can begin
// again. Silence is a time of one to two periods of `tick` without a byte.
//
// Latency: a frame is handed over, a byte in two cycles at most, some 12 cycles after the middle of
// its last stop bit.

`default_nettype none

module fcc_uart_frames #(
    // The buffer holds 2^BUFFER_BITS - 1 bytes of frames, checksums not counted (4 to 16).
    parameter BUFFER_BITS = 11
) (
    input  wire       clk,
    input  wire       reset,
    // One cycle in a period of silence.
    input  wire       tick,
    // From the line.
    input  wire       rx_valid,
    input  wire [7:0] rx_data,
    input  wire       rx_error,
    // Frames, one behind the other.
    output wire       out_valid,
    input  wire       out_ready,
    output reg  [7:0] out_data,
    // Drop what is in the buffer.
    input  wire       flush,
    // 0 none, else the status of a reply. It is about what came behind the frames in the buffer.
    output reg  [2:0] fault,
    input  wire       fault_taken
);

  localparam [2:0] DAMAGED = 3'd1;
  localparam [2:0] CUT = 3'd2;
  localparam [2:0] OVERRUN = 3'd3;

  localparam [2:0] HEADER = 3'd0;
  localparam [2:0] PAYLOAD = 3'd1;
  localparam [2:0] CHECKSUM = 3'd2;
  localparam [2:0] VERIFY = 3'd3;
  localparam [2:0] IGNORE = 3'd4;

  // The checksum of anything with its own checksum behind it.
  localparam [31:0] RESIDUE = 32'h2144DF1C;

  reg  [            7:0] memory [0:(1<<BUFFER_BITS)-1];
  // Where the next byte goes, where the next whole frame begins, where the next byte comes from.
  reg  [BUFFER_BITS-1:0] write_reg;
  reg  [BUFFER_BITS-1:0] commit_reg;
  reg  [BUFFER_BITS-1:0] read_reg;
  // `out_data` is the byte at read_reg.
  reg                    fetched_reg;
  reg  [            2:0] state_reg;
  reg  [            2:0] index_reg;
  reg  [           15:0] length_reg;
  // There has been a tick since the last byte.
  reg                    quiet_reg;

  wire                   silent = tick && quiet_reg && !rx_valid;
  wire                   idle = (state_reg == HEADER && index_reg == 3'd0);
  wire                   store = rx_valid && (state_reg == HEADER || state_reg == PAYLOAD);
  wire [BUFFER_BITS-1:0] write_next = write_reg + 1'b1;
  wire                   take = out_valid && out_ready;
  wire                   crc_busy;
  wire [           31:0] crc;
  wire                   verified = (state_reg == VERIFY && !crc_busy);
  wire                   listening = (state_reg != IGNORE);
  wire                   damaged =
      listening && rx_valid && rx_error || verified && crc != RESIDUE;
  wire                   overrun = store && write_next == read_reg;
  wire                   cut = listening && silent && !idle;
  wire                   fails = damaged || overrun || cut;

  fcc_uart_crc check (
      .clk    (clk),
      .restart(idle && !rx_valid),
      .valid  (rx_valid),
      .data   (rx_data),
      .busy   (crc_busy),
      .crc    (crc)
  );

  assign out_valid = fetched_reg && (read_reg != commit_reg);

  always @(posedge clk) begin
    if (store) memory[write_reg] <= rx_data;
    out_data <= memory[read_reg];
  end

  always @(posedge clk) begin
    fetched_reg <= !take;
    if (take) read_reg <= read_reg + 1'b1;
    if (rx_valid) quiet_reg <= 1'b0;
    else if (tick) quiet_reg <= 1'b1;

    if (store) write_reg <= write_next;
    if (rx_valid) index_reg <= index_reg + 1'b1;
    case (state_reg)
      HEADER:
      if (rx_valid) begin
        if (index_reg == 3'd2 || index_reg == 3'd3) length_reg <= {length_reg[7:0], rx_data};
        if (index_reg == 3'd5) begin
          state_reg <= (length_reg == 16'd0) ? CHECKSUM : PAYLOAD;
          index_reg <= 3'd0;
        end
      end
      PAYLOAD:
      if (rx_valid) begin
        length_reg <= length_reg - 1'b1;
        if (length_reg == 16'd1) begin
          state_reg <= CHECKSUM;
          index_reg <= 3'd0;
        end
      end
      CHECKSUM: if (rx_valid && index_reg == 3'd3) state_reg <= VERIFY;
      VERIFY:
      if (verified) begin
        commit_reg <= write_reg;
        state_reg  <= HEADER;
        index_reg  <= 3'd0;
      end
      // Not before the fault has been told: its reply belongs between those of the frames around.
      default:
      if (silent && fault == 3'd0) begin
        state_reg <= HEADER;
        index_reg <= 3'd0;
      end
    endcase

    if (fault_taken) fault <= 3'd0;
    if (fails || flush) begin
      commit_reg <= commit_reg;
      write_reg  <= commit_reg;
      state_reg  <= IGNORE;
    end
    if (fails) fault <= damaged ? DAMAGED : (overrun ? OVERRUN : CUT);
    // What ended the work on a frame is told instead.
    if (flush) begin
      read_reg <= commit_reg;
      fault <= 3'd0;
    end
    if (reset) begin
      write_reg  <= {BUFFER_BITS{1'b0}};
      commit_reg <= {BUFFER_BITS{1'b0}};
      read_reg   <= {BUFFER_BITS{1'b0}};
      state_reg  <= IGNORE;
      quiet_reg  <= 1'b0;
      fault      <= 3'd0;
    end
  end

endmodule

`default_nettype wire
