// SPDX-License-Identifier: Apache-2.0
//
// Puts one xnor_fcc core behind a serial line (8 data bits, no parity, one stop bit), for boards
// whose only way to a host that is: registers, images and results. Connect avm_csr, aso_image and
// asi_result to the ports of the core with the same names. The host's side of it is
// model/xnor_fcc/board/uart.py.
//
// The host sends frames; each is answered with one reply, in order. Numbers have their high-order
// byte first, as the streams have; a checksum is CRC-32 of the bytes before it (fcc_uart_crc), the
// low-order byte first, as Ethernet sends it.
//
//   frame: bytes    what
//     1             bit 7: 0 registers, 1 image
//                     registers: bits 5:0 the address
//                     image: bit 0 an image's first piece, bit 1 its last
//     1             sequence number, for the reply
//     2             bytes of the payload
//     2             words wanted in the reply
//     payload       registers: words, all written to the address, in order
//                     image: bytes of the packet; all pieces but the last are whole beats
//     4             checksum
//
//   reply: bytes    what
//     1             sequence number of the frame; 0 where that could not be read
//     2             words that follow
//     4 each        registers: read from the address and those behind it
//                     image: the result packet; 0 from the word on that did not come
//     1             status: 0 right
//                     1 damaged: a wrong checksum, or a byte without a stop bit
//                     2 cut: silence in the middle of the frame
//                     3 overrun: more was sent than the buffer holds
//                     4 the core did not take the image, or did not answer
//                     5 the result packet has another length
//     4             checksum
//
// A frame has its effect after it has come whole and right; a damaged one has none. Whatever the
// status, unless it is 0 all that has been sent in the meantime is dropped and the link ignores
// the line until it has been silent for TIMEOUT to 2 * TIMEOUT bits, or for one TIMEOUT more from
// the reply on. So no frame is obeyed that was sent before the host knew. The core is as the
// frames before have left it, perhaps with a piece of an image inside: CONTROL.SOFT_RESET.
//
// Flow control: frames that have been sent and not answered may have 2^BUFFER_BITS - 1 bytes
// together. Replies come for frames only, so the host, who knows their sizes, knows how much may
// come at once. An image's reply is sent when its result is there, and the next frames come in
// meanwhile: of images with P bytes, and results of W words, there are BAUD / 10 / max(P + 10,
// 4 W + 8) a second, if the core takes less time than its frame. Loading takes all but 1 % of the
// line's bytes.

`default_nettype none

module fcc_uart_host #(
    // Clock cycles of a bit (8 to 8192).
    parameter DIVIDER = 50,
    // Bits that pass in silence before a frame counts as cut, and the core as dead: longer than a
    // pause in the host's sending, and longer than an image takes (12 to 131072).
    parameter TIMEOUT = 131072,
    // Bytes of the buffer for frames, as a power of two (4 to 16).
    parameter BUFFER_BITS = 11,
    // As in xnor_fcc.
    parameter IMAGE_WIDTH = 64
) (
    input  wire        clk,
    input  wire        reset,
    input  wire        rxd,
    output wire        txd,
    // Registers of the core.
    output wire [ 5:0] avm_csr_address,
    output wire        avm_csr_read,
    output wire        avm_csr_write,
    output wire [31:0] avm_csr_writedata,
    input  wire [31:0] avm_csr_readdata,
    input  wire        avm_csr_readdatavalid,
    // Images.
    output wire        aso_image_valid,
    input  wire        aso_image_ready,
    output wire [IMAGE_WIDTH-1:0] aso_image_data,
    output wire        aso_image_startofpacket,
    output wire        aso_image_endofpacket,
    output wire [((IMAGE_WIDTH > 8) ? $clog2(IMAGE_WIDTH/8) : 1)-1:0] aso_image_empty,
    output wire        aso_image_error,
    // Results.
    input  wire        asi_result_valid,
    output wire        asi_result_ready,
    input  wire [31:0] asi_result_data,
    input  wire        asi_result_startofpacket,
    input  wire        asi_result_endofpacket
);

  localparam EMPTY_BITS = (IMAGE_WIDTH > 8) ? $clog2(IMAGE_WIDTH / 8) : 1;
  localparam BEAT_BITS = (IMAGE_WIDTH > 32) ? IMAGE_WIDTH : 32;
  localparam TICK_CYCLES = DIVIDER * TIMEOUT;
  localparam TICK_BITS = $clog2(TICK_CYCLES);
  localparam [31:0] TICK_LAST = TICK_CYCLES - 1;
  localparam [31:0] SYMBOLS = IMAGE_WIDTH / 8;

  // An undefined module stops every tool, and its name is the message.
  generate
    if (DIVIDER < 8 || DIVIDER > 8192) begin : g_divider
      DIVIDER_must_be_8_to_8192 refused ();
    end
    if (TIMEOUT < 12 || TIMEOUT > 131072) begin : g_timeout
      TIMEOUT_must_be_12_to_131072 refused ();
    end
    if (BUFFER_BITS < 4 || BUFFER_BITS > 16) begin : g_buffer
      BUFFER_BITS_must_be_4_to_16 refused ();
    end
  endgenerate

  localparam [2:0] STUCK = 3'd4;
  localparam [2:0] LENGTH = 3'd5;

  localparam [3:0] IDLE = 4'd0;
  localparam [3:0] HEADER = 4'd1;
  localparam [3:0] GATHER = 4'd2;
  localparam [3:0] GIVE = 4'd3;
  localparam [3:0] REPLY_HEADER = 4'd4;
  localparam [3:0] ASK = 4'd5;
  localparam [3:0] AWAIT = 4'd6;
  localparam [3:0] REPLY_WORD = 4'd7;
  localparam [3:0] REPLY_STATUS = 4'd8;
  localparam [3:0] REPLY_CHECKSUM = 4'd9;

  // ---- what comes

  reg  [TICK_BITS-1:0] tick_reg;
  wire                 tick = (tick_reg == TICK_LAST[TICK_BITS-1:0]);
  wire                 rx_valid;
  wire [          7:0] rx_data;
  wire                 rx_error;
  wire                 byte_valid;
  wire                 byte_ready;
  wire [          7:0] byte_data;
  wire                 flush;
  wire [          2:0] fault;
  wire                 fault_taken;

  fcc_uart_receiver #(
      .DIVIDER(DIVIDER)
  ) receiver (
      .clk  (clk),
      .reset(reset),
      .rxd  (rxd),
      .valid(rx_valid),
      .data (rx_data),
      .error(rx_error)
  );

  fcc_uart_frames #(
      .BUFFER_BITS(BUFFER_BITS)
  ) frames (
      .clk        (clk),
      .reset      (reset),
      .tick       (tick),
      .rx_valid   (rx_valid),
      .rx_data    (rx_data),
      .rx_error   (rx_error),
      .out_valid  (byte_valid),
      .out_ready  (byte_ready),
      .out_data   (byte_data),
      .flush      (flush),
      .fault      (fault),
      .fault_taken(fault_taken)
  );

  // ---- what is done about it

  reg  [          3:0] state_reg;
  // Bytes of the header, of a word or of a checksum so far.
  reg  [          2:0] index_reg;
  // The header, by its parts.
  reg  [          7:0] kind_reg;
  reg  [          7:0] sequence_reg;
  reg  [         15:0] length_reg;
  reg  [         15:0] wanted_reg;
  reg  [          2:0] status_reg;
  // A word or a beat, the first byte in the high-order bits.
  reg  [BEAT_BITS-1:0] beat_reg;
  reg  [          6:0] gathered_reg;
  reg  [          6:0] empty_reg;
  reg                  first_reg;
  // There has been a tick since waiting for the core began.
  reg                  waited_reg;

  wire                 is_image = kind_reg[7];
  wire [          6:0] whole = is_image ? SYMBOLS[6:0] : 7'd4;
  wire                 waiting = (state_reg == GIVE || state_reg == AWAIT);
  wire                 given = (state_reg == GIVE) && (!is_image || aso_image_ready);
  wire                 answered =
      (state_reg == AWAIT) && (is_image ? asi_result_valid : avm_csr_readdatavalid);
  wire                 stuck = waiting && !given && !answered && tick && waited_reg;
  wire                 misfit = answered && is_image
      && (asi_result_startofpacket != first_reg || asi_result_endofpacket != (wanted_reg == 16'd1));

  assign fault_taken = (state_reg == IDLE) && !byte_valid && fault != 3'd0;
  assign flush = stuck || (misfit && status_reg == 3'd0);
  assign byte_ready = (state_reg == HEADER)
      || (state_reg == GATHER && gathered_reg != whole && length_reg != 16'd0);

  assign avm_csr_address = kind_reg[5:0];
  assign avm_csr_write = (state_reg == GIVE) && !is_image;
  assign avm_csr_read = (state_reg == ASK) && !is_image && status_reg == 3'd0;
  assign avm_csr_writedata = beat_reg[31:0];
  assign aso_image_valid = (state_reg == GIVE) && is_image;
  assign aso_image_data = beat_reg[IMAGE_WIDTH-1:0];
  assign aso_image_startofpacket = kind_reg[0] && first_reg;
  assign aso_image_endofpacket = kind_reg[1] && length_reg == 16'd0;
  assign aso_image_empty = empty_reg[EMPTY_BITS-1:0];
  assign aso_image_error = 1'b0;
  wire        unused = &{1'b0, kind_reg[6]};
  assign asi_result_ready = (state_reg == AWAIT) && is_image;

  wire        tx_ready;
  reg         tx_valid;
  reg  [ 7:0] tx_data;
  wire        sent = tx_valid && tx_ready;
  wire        crc_busy;
  wire [31:0] crc;

  always @* begin
    tx_valid = 1'b1;
    case (state_reg)
      REPLY_HEADER:
      tx_data = (index_reg == 3'd0) ? sequence_reg
          : ((index_reg == 3'd1) ? wanted_reg[15:8] : wanted_reg[7:0]);
      REPLY_WORD: tx_data = beat_reg[31:24];
      REPLY_STATUS: tx_data = {5'd0, status_reg};
      default: begin
        tx_valid = (state_reg == REPLY_CHECKSUM) && !crc_busy;
        tx_data  = crc[8*index_reg[1:0]+:8];
      end
    endcase
  end

  fcc_uart_crc check (
      .clk    (clk),
      .restart(state_reg == IDLE),
      .valid  (sent && state_reg != REPLY_CHECKSUM),
      .data   (tx_data),
      .busy   (crc_busy),
      .crc    (crc)
  );

  fcc_uart_transmitter #(
      .DIVIDER(DIVIDER)
  ) transmitter (
      .clk  (clk),
      .reset(reset),
      .valid(tx_valid),
      .ready(tx_ready),
      .data (tx_data),
      .txd  (txd)
  );

  always @(posedge clk) begin
    tick_reg   <= tick ? {TICK_BITS{1'b0}} : tick_reg + 1'b1;
    waited_reg <= waiting && !given && !answered && (waited_reg || tick);

    case (state_reg)
      IDLE: begin
        index_reg <= 3'd0;
        gathered_reg <= 7'd0;
        empty_reg <= 7'd0;
        first_reg <= 1'b1;
        status_reg <= fault;
        if (byte_valid) begin
          status_reg <= 3'd0;
          state_reg  <= HEADER;
        end else if (fault_taken) begin
          sequence_reg <= 8'd0;
          wanted_reg <= 16'd0;
          state_reg <= REPLY_HEADER;
        end
      end
      HEADER:
      if (byte_valid) begin
        {kind_reg, sequence_reg, length_reg, wanted_reg} <=
            {sequence_reg, length_reg, wanted_reg, byte_data};
        index_reg <= index_reg + 1'b1;
        if (index_reg == 3'd5) begin
          index_reg <= 3'd0;
          state_reg <= GATHER;
        end
      end
      // A word or a beat; the last one is filled up with zeros.
      GATHER:
      if (gathered_reg == whole) begin
        state_reg <= GIVE;
      end else if (length_reg == 16'd0 && gathered_reg == 7'd0) begin
        first_reg <= 1'b1;
        state_reg <= REPLY_HEADER;
      end else if (byte_valid || length_reg == 16'd0) begin
        beat_reg <= {beat_reg[BEAT_BITS-9:0], (length_reg == 16'd0) ? 8'd0 : byte_data};
        gathered_reg <= gathered_reg + 1'b1;
        if (length_reg == 16'd0) empty_reg <= empty_reg + 1'b1;
        else length_reg <= length_reg - 1'b1;
      end
      GIVE:
      if (given) begin
        first_reg <= 1'b0;
        gathered_reg <= 7'd0;
        state_reg <= GATHER;
      end
      REPLY_HEADER:
      if (sent) begin
        index_reg <= index_reg + 1'b1;
        if (index_reg == 3'd2) begin
          index_reg <= 3'd0;
          state_reg <= (wanted_reg == 16'd0) ? REPLY_STATUS : ASK;
        end
      end
      // Of a core that has failed nothing more is asked.
      ASK: begin
        beat_reg[31:0] <= 32'd0;
        state_reg <= (status_reg == 3'd0) ? AWAIT : REPLY_WORD;
      end
      AWAIT:
      if (answered) begin
        beat_reg[31:0] <= is_image ? asi_result_data : avm_csr_readdata;
        first_reg <= 1'b0;
        state_reg <= REPLY_WORD;
        if (misfit) status_reg <= LENGTH;
      end
      REPLY_WORD:
      if (sent) begin
        beat_reg[31:0] <= {beat_reg[23:0], 8'd0};
        index_reg <= index_reg + 1'b1;
        if (index_reg == 3'd3) begin
          index_reg <= 3'd0;
          kind_reg[5:0] <= kind_reg[5:0] + 1'b1;
          wanted_reg <= wanted_reg - 1'b1;
          state_reg <= (wanted_reg == 16'd1) ? REPLY_STATUS : ASK;
        end
      end
      REPLY_STATUS: if (sent) state_reg <= REPLY_CHECKSUM;
      default:
      if (sent) begin
        index_reg <= index_reg + 1'b1;
        if (index_reg == 3'd3) state_reg <= IDLE;
      end
    endcase

    if (stuck) begin
      status_reg <= STUCK;
      index_reg  <= 3'd0;
      first_reg  <= 1'b1;
      state_reg  <= (state_reg == GIVE) ? REPLY_HEADER : REPLY_WORD;
    end
    if (reset) begin
      tick_reg  <= {TICK_BITS{1'b0}};
      state_reg <= IDLE;
    end
  end

endmodule

`default_nettype wire
