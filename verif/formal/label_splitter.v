// SPDX-License-Identifier: Apache-2.0
//
// fcc_label_splitter: beats leave in order, none lost, none doubled; a packet without its last
// byte, whatever beats that byte stood in, and in its last beat that byte is `label`. A packet that
// is only a label leaves with its error. A beat that is offered stays as it is until it is taken;
// nothing is accepted while not `running`, and what ends a packet leaves all the same. Where images
// have no labels, a beat passes in its own cycle.
//
// Assumed: `enable` stands still. Of a beat that stays: that the sender keeps what it offers, and
// that `running` does not fall. The sender may send anything else, out of protocol too.

`default_nettype none

module label_splitter_property #(
    parameter WIDTH = 16
) (
    input wire                                           clk,
    input wire                                           reset,
    input wire                                           running,
    input wire                                           restart,
    input wire                                           asi_valid,
    input wire [                              WIDTH-1:0] asi_data,
    input wire                                           asi_startofpacket,
    input wire                                           asi_endofpacket,
    input wire [((WIDTH > 8) ? $clog2(WIDTH/8) : 1)-1:0] asi_empty,
    input wire                                           asi_error,
    input wire                                           aso_ready
);

  localparam BYTES = WIDTH / 8;
  localparam EMPTY_BITS = (WIDTH > 8) ? $clog2(WIDTH / 8) : 1;

  (* anyconst *) wire enable;
  // Any one byte of a packet.
  (* anyconst *) wire [7:0] number;

  wire asi_ready;
  wire aso_valid;
  wire [WIDTH-1:0] aso_data;
  wire aso_startofpacket;
  wire aso_endofpacket;
  wire [EMPTY_BITS-1:0] aso_empty;
  wire aso_error;
  wire [7:0] label;
  wire ending;

  fcc_label_splitter #(
      .WIDTH(WIDTH)
  ) dut (
      .clk              (clk),
      .reset            (reset),
      .enable           (enable),
      .running          (running),
      .restart          (restart),
      .asi_valid        (asi_valid),
      .asi_ready        (asi_ready),
      .asi_data         (asi_data),
      .asi_startofpacket(asi_startofpacket),
      .asi_endofpacket  (asi_endofpacket),
      .asi_empty        (asi_empty),
      .asi_error        (asi_error),
      .aso_valid        (aso_valid),
      .aso_ready        (aso_ready),
      .aso_data         (aso_data),
      .aso_startofpacket(aso_startofpacket),
      .aso_endofpacket  (aso_endofpacket),
      .aso_empty        (aso_empty),
      .aso_error        (aso_error),
      .label            (label),
      .ending           (ending)
  );

  reg started = 1'b0;
  // More bytes than are looked at count as this many.
  localparam [7:0] TOO_MANY = 8'd32;

  wire accept = asi_valid && asi_ready;
  wire leave = aso_valid && aso_ready;

  always @* begin
    if (!started) assume (reset);
    // What a beat lacks is at most all but one.
    if (BYTES == 1) assume (asi_empty == 0);
    assume (number < TOO_MANY);
  end

  // ---- the beat that has come and not left, as it came

  reg waits;
  reg [WIDTH-1:0] w_data;
  reg w_start, w_end, w_error;
  reg [EMPTY_BITS-1:0] w_empty;
  wire w_only = w_end && w_empty == BYTES - 1;
  wire only = asi_endofpacket && asi_empty == BYTES - 1;
  // A label alone in its beat, of the packet whose beat waits: it leaves with that.
  wire label_only = only && !asi_startofpacket && waits && !w_end;
  wire [WIDTH-1:0] w_last = w_data >> 8 * w_empty;
  wire [WIDTH-1:0] last = asi_data >> 8 * asi_empty;

  // ---- bytes of a packet, as they come and as they leave

  reg [7:0] came, left;
  reg [7:0] value, seen;
  // Bytes of the packet in front of the beat that waits.
  reg [7:0] w_before;

  wire [7:0] in_before = asi_startofpacket ? 8'd0 : came;
  wire [7:0] in_behind = (in_before == TOO_MANY) ? TOO_MANY : in_before + BYTES;
  wire in_here = in_before != TOO_MANY && number >= in_before && number < in_before + BYTES;
  wire [WIDTH-1:0] in_shifted = asi_data >> (WIDTH - 8 - 8 * (number - in_before));
  wire [7:0] out_before = aso_startofpacket ? 8'd0 : left;
  wire [7:0] out_behind = (out_before == TOO_MANY) ? TOO_MANY : out_before + BYTES;
  wire out_here = out_before != TOO_MANY && number >= out_before && number < out_before + BYTES;
  wire [WIDTH-1:0] out_shifted = aso_data >> (WIDTH - 8 - 8 * (number - out_before));
  wire [7:0] seen_now = out_here ? out_shifted[7:0] : seen;
  wire [7:0] length_in = w_end ? w_before + BYTES - w_empty : came + 8'd1;
  wire [7:0] length_out = out_before + BYTES - aso_empty;
  wire w_here = w_before != TOO_MANY && number >= w_before && number < w_before + BYTES;
  wire [WIDTH-1:0] w_shifted = w_data >> (WIDTH - 8 - 8 * (number - w_before));

  // ---- the stream by its own signals

  reg stays = 1'b0;
  reg [WIDTH-1:0] data_s1;
  reg start_s1, end_s1, error_s1;
  reg [EMPTY_BITS-1:0] empty_s1;
  reg [7:0] label_s1;
  reg offers = 1'b0;
  reg [WIDTH-1:0] asi_data_s1;
  reg asi_start_s1, asi_end_s1, asi_error_s1;
  reg [EMPTY_BITS-1:0] asi_empty_s1;
  wire kept = !offers || (asi_valid && asi_data == asi_data_s1 && asi_startofpacket == asi_start_s1
      && asi_endofpacket == asi_end_s1 && asi_empty == asi_empty_s1 && asi_error == asi_error_s1);

  always @(posedge clk) begin
    started <= 1'b1;
    if (accept) begin
      came <= asi_endofpacket ? 8'd0 : in_behind;
      if (in_here) value <= in_shifted[7:0];
      w_data <= asi_data;
      w_start <= asi_startofpacket;
      w_end <= asi_endofpacket;
      w_empty <= asi_empty;
      w_error <= asi_error;
      w_before <= in_before;
    end
    if (leave) begin
      left <= aso_endofpacket ? 8'd0 : out_behind;
      seen <= seen_now;
    end
    if (accept) waits <= !label_only;
    else if (leave) waits <= 1'b0;
    if (reset || restart) begin
      waits <= 1'b0;
      came <= 8'd0;
      left <= 8'd0;
    end
    stays <= aso_valid && !aso_ready && !reset && !restart;
    data_s1 <= aso_data;
    start_s1 <= aso_startofpacket;
    end_s1 <= aso_endofpacket;
    empty_s1 <= aso_empty;
    error_s1 <= aso_error;
    label_s1 <= label;
    offers <= asi_valid && !asi_ready;
    asi_data_s1 <= asi_data;
    asi_start_s1 <= asi_startofpacket;
    asi_end_s1 <= asi_endofpacket;
    asi_empty_s1 <= asi_empty;
    asi_error_s1 <= asi_error;
  end

  // For the induction.
  (* hierconn *) wire \dut.waiting_reg ;
  (* hierconn *) wire [WIDTH-1:0] \dut.data_reg ;
  (* hierconn *) wire \dut.start_reg ;
  (* hierconn *) wire \dut.end_reg ;
  (* hierconn *) wire [EMPTY_BITS-1:0] \dut.empty_reg ;
  (* hierconn *) wire \dut.error_reg ;
  (* hierconn *) wire [7:0] \dut.label_reg ;

  always @* begin
    if (started && !enable) begin
      assert (asi_ready == (aso_ready && running) && aso_valid == asi_valid);
      assert (aso_data == asi_data && aso_empty == asi_empty && aso_error == asi_error);
      assert (aso_startofpacket == asi_startofpacket && aso_endofpacket == asi_endofpacket);
      assert (!ending);
      assert (!\dut.waiting_reg );
    end
    if (started && enable) begin
      assert (asi_ready == (aso_ready && running));
      assert (aso_valid == (waits && (w_end || (asi_valid && running))));
      assert (ending == (waits && w_end));
      // None lost, none doubled.
      if (accept && waits) assert (leave);
      if (leave) assert (waits);
      if (aso_valid) begin
        assert (aso_data == w_data && aso_startofpacket == w_start);
        assert (aso_endofpacket == (w_end || label_only));
        assert (aso_error == (w_error || w_only || (label_only && asi_error)));
        if (!aso_endofpacket) assert (aso_empty == 0);
      end
      if (aso_valid && aso_endofpacket) begin
        assert (label == (w_end ? w_last[7:0] : last[7:0]));
        if (!w_only && w_before < TOO_MANY && came < TOO_MANY) begin
          assert (length_out + 8'd1 == length_in);
          if (number < length_out) assert (seen_now == value);
        end
      end
      if (stays && running && kept) begin
        assert (aso_valid && aso_data == data_s1 && aso_startofpacket == start_s1);
        assert (aso_endofpacket == end_s1 && aso_empty == empty_s1 && aso_error == error_s1);
        if (aso_endofpacket) assert (label == label_s1);
      end

      assert (\dut.waiting_reg == waits);
      if (waits) begin
        assert (\dut.data_reg == w_data && \dut.start_reg == w_start && \dut.end_reg == w_end);
        assert (\dut.error_reg == (w_error || w_only));
        if (w_end) assert (\dut.label_reg == w_last[7:0]);
        if (BYTES == 1) assert (\dut.empty_reg == 0);
        else if (w_end) assert (\dut.empty_reg == (w_only ? 0 : w_empty + 1'b1));
        else assert (\dut.empty_reg == 0);
        if (BYTES == 1) assert (w_empty == 0);
        assert (out_before == w_before || !aso_valid);
        assert ((w_start ? 8'd0 : left) == w_before);
        assert (came == (w_end ? 8'd0 : (w_before == TOO_MANY) ? TOO_MANY : w_before + BYTES));
        if (w_here) assert (value == w_shifted[7:0]);
        if (w_before != TOO_MANY && number < w_before) assert (seen == value);
      end else begin
        assert (left == came);
        if (came != TOO_MANY && number < came) assert (seen == value);
      end
      assert (came <= TOO_MANY && came % BYTES == 0 && left <= TOO_MANY && left % BYTES == 0);
      if (waits) assert (w_before <= TOO_MANY && w_before % BYTES == 0);
    end
  end

endmodule

module label_splitter (
    input wire        clk,
    input wire        reset,
    input wire        running,
    input wire        restart,
    input wire        asi_valid,
    input wire [31:0] asi_data,
    input wire        asi_startofpacket,
    input wire        asi_endofpacket,
    input wire [ 1:0] asi_empty,
    input wire        asi_error,
    input wire        aso_ready
);

  // Four bytes a beat; one, in which a label is always alone.
  label_splitter_property #(
      .WIDTH(32)
  ) several (
      .clk              (clk),
      .reset            (reset),
      .running          (running),
      .restart          (restart),
      .asi_valid        (asi_valid),
      .asi_data         (asi_data),
      .asi_startofpacket(asi_startofpacket),
      .asi_endofpacket  (asi_endofpacket),
      .asi_empty        (asi_empty),
      .asi_error        (asi_error),
      .aso_ready        (aso_ready)
  );
  label_splitter_property #(
      .WIDTH(8)
  ) single (
      .clk              (clk),
      .reset            (reset),
      .running          (running),
      .restart          (restart),
      .asi_valid        (asi_valid),
      .asi_data         (asi_data[7:0]),
      .asi_startofpacket(asi_startofpacket),
      .asi_endofpacket  (asi_endofpacket),
      .asi_empty        (1'b0),
      .asi_error        (asi_error),
      .aso_ready        (aso_ready)
  );

endmodule

`default_nettype wire
