// SPDX-License-Identifier: Apache-2.0
//
// fcc_csr: a read is answered once, one cycle later, with what the register holds; configuration
// and load ports change only by a write while nothing runs; the core runs only after a check that
// was content, and with the configuration that was checked; counters count every event since reset,
// errors and interrupts stay until cleared. Any access may come in any cycle.
//
// Assumed: a first reset, and a check that is busy until its verdict.

`default_nettype none

module registers #(
    parameter MAX_LAYERS = 2
) (
    input wire        clk,
    input wire        reset,
    input wire [ 5:0] address,
    input wire        read,
    input wire        write,
    input wire [31:0] writedata,
    input wire        check_busy,
    input wire        check_done,
    input wire        check_ok,
    input wire        check_bad_table,
    input wire        check_not_loaded,
    input wire [31:0] weights_loaded,
    input wire [31:0] thresholds_loaded,
    input wire [31:0] weights_crc,
    input wire [31:0] thresholds_crc,
    input wire        load_overflow,
    input wire        core_busy,
    input wire [ 1:0] packets_dropped,
    input wire        packet_short,
    input wire        packet_long,
    input wire        packet_frame,
    input wire        packet_flagged,
    input wire        sequencer_busy,
    input wire        sequencer_step,
    input wire        sequencer_stall,
    input wire        weight_stall,
    input wire        weight_fault,
    input wire        bad_label,
    input wire        image_sent,
    input wire        results_sent,
    input wire [31:0] latency
);

  wire [31:0] readdata;
  wire readdatavalid, irq, core_reset, running, locked_out, pixel_mode, check_start;
  wire [7:0] pixel_threshold;
  wire [15:0] inputs, classes, layers, pixel_residual;
  wire [31:0] partial_timeout, now, chunk;
  wire [32*MAX_LAYERS-1:0] table_entries;
  wire weight_restart, chunk_valid, threshold_restart, chunk_threshold;

  fcc_csr #(
      .PE             (3),
      .SIMD           (5),
      .LANES          (7),
      .TAPS           (2),
      .MAX_WIDTH      (40),
      .MAX_LAYERS     (MAX_LAYERS),
      .MAX_CLASSES    (11),
      .WEIGHT_DEPTH   (77),
      .THRESHOLD_DEPTH(13),
      .IMAGE_WIDTH    (64),
      .SCORE_BITS     (9),
      .WEIGHT_STREAM  (0),
      .ORDER          (2),
      .TERNARY        (1),
      .LEARN          (3)
  ) dut (
      .clk                  (clk),
      .reset                (reset),
      .avs_address          (address),
      .avs_read             (read),
      .avs_write            (write),
      .avs_writedata        (writedata),
      .avs_readdata         (readdata),
      .avs_readdatavalid    (readdatavalid),
      .irq                  (irq),
      .core_reset           (core_reset),
      .running              (running),
      .locked               (locked_out),
      .pixel_mode           (pixel_mode),
      .pixel_threshold      (pixel_threshold),
      .pixel_residual       (pixel_residual),
      .inputs               (inputs),
      .classes              (classes),
      .layers               (layers),
      .partial_timeout      (partial_timeout),
      .table_entries        (table_entries),
      .now                  (now),
      .check_start          (check_start),
      .check_busy           (check_busy),
      .check_done           (check_done),
      .check_ok             (check_ok),
      .check_bad_table      (check_bad_table),
      .check_not_loaded     (check_not_loaded),
      .weight_restart       (weight_restart),
      .chunk_valid          (chunk_valid),
      .threshold_restart    (threshold_restart),
      .chunk_threshold      (chunk_threshold),
      .chunk                (chunk),
      .weights_loaded       (weights_loaded),
      .thresholds_loaded    (thresholds_loaded),
      .weights_crc          (weights_crc),
      .thresholds_crc       (thresholds_crc),
      .load_overflow        (load_overflow),
      .core_busy            (core_busy),
      .packets_dropped      (packets_dropped),
      .packet_short         (packet_short),
      .packet_long          (packet_long),
      .packet_frame         (packet_frame),
      .packet_flagged       (packet_flagged),
      .sequencer_busy       (sequencer_busy),
      .sequencer_step       (sequencer_step),
      .sequencer_stall      (sequencer_stall),
      .weight_stall         (weight_stall),
      .weight_fault         (weight_fault),
      .bad_label            (bad_label),
      .image_sent           (image_sent),
      .results_sent         (results_sent),
      .latency              (latency)
  );

  reg started = 1'b0;
  always @* if (!started) assume (reset);
  always @(posedge clk) started <= 1'b1;

  // The addresses and reset values of REGISTERS.md, as numbers on purpose: everything else has them
  // from registers.json, and this is what a change there that nobody meant would contradict.
  wire controls = write && address == 6'd16;
  wire soft_reset = controls && writedata[2];
  wire enables = controls && writedata[0] && !soft_reset;
  reg resetting;
  wire busy = (core_busy || check_start || check_busy || check_done) && !resetting;
  // Nothing begins to be busy but what the host has started.
  reg occupied;
  wire locked = running || check_start || occupied;

  // ---- configuration: one register, any one

  (* anyconst *) wire [5:0] that;
  wire [31:0] mask = (that == 6'd24) ? 32'h0000_00FF : (that == 6'd25 || that >= 6'd48)
      ? 32'hFFFF_FFFF : (that == 6'd26) ? 32'd1 : 32'h0000_FFFF;
  function configures(input [5:0] register);
    configures = (register >= 6'd21 && register <= 6'd26) || register == 6'd42
        || (register >= 6'd48 && register < 48 + MAX_LAYERS);
  endfunction
  always @* assume (configures(that));
  reg [31:0] value;
  wire [31:0] shown = (that == 6'd21) ? inputs : (that == 6'd22) ? classes
      : (that == 6'd23) ? layers : (that == 6'd24) ? pixel_threshold
      : (that == 6'd25) ? partial_timeout : (that == 6'd42) ? pixel_residual
      : (that >= 6'd48) ? table_entries[32*(that-6'd48)+:32] : value;
  reg selected;
  reg mode;
  always @(posedge clk) begin
    if (write && !locked && address == that) value <= writedata & mask;
    if (write && !locked && address == 6'd26) selected <= writedata[0];
    if (enables && !locked) mode <= writedata[1];
    if (reset) begin
      value <= (that == 6'd24) ? 32'd128 : (that == 6'd25) ? 32'd256 : 32'd0;
      selected <= 1'b0;
      mode <= 1'b0;
    end
  end

  // All of it at once.
  localparam ALL = 32 * MAX_LAYERS + 105;
  wire [ALL-1:0] configuration = {inputs, classes, layers, pixel_threshold, pixel_residual,
      partial_timeout, pixel_mode, table_entries};
  reg [ALL-1:0] configuration_s1;
  reg locked_s1;
  reg running_s1;
  reg content_s1;
  reg start_s1;
  always @(posedge clk) begin
    configuration_s1 <= configuration;
    locked_s1 <= locked && !reset;
    running_s1 <= running;
    content_s1 <= check_done && check_ok && !reset && !soft_reset;
    start_s1 <= enables && !locked && !reset;
    resetting <= soft_reset && !reset;
    occupied <= (running || busy) && !soft_reset && !reset;
  end

  // What runs is what was checked. The check is busy from the cycle after its start to the one
  // before its verdict (table_check.v).
  reg checking = 1'b0;
  reg [ALL-1:0] checked;
  always @* begin
    assume (check_busy == (checking && !check_done));
    if (!checking) assume (!check_done);
  end
  always @(posedge clk) begin
    if (check_done) checking <= 1'b0;
    if (check_start) begin
      checking <= 1'b1;
      checked <= configuration;
    end
    if (core_reset) checking <= 1'b0;
  end

  // ---- counters, errors, interrupts

  wire clear = reset || resetting;
  reg [63:0] cycles;
  reg [31:0] high;
  reg [31:0] images, batches, busy_cycles, stalls, steps, weight_stalls, drops;
  reg [9:0] errors;
  reg [1:0] irq_status;
  reg [1:0] irq_enable;
  wire [9:0] events = {bad_label, weight_fault, packet_flagged, packet_frame, packet_long,
                       packet_short,
      load_overflow, write && locked && !soft_reset
          && (configures(address) || address == 6'd27
              || (enables && !(running && writedata[1] == pixel_mode))),
      check_done && check_not_loaded, check_done && check_bad_table};
  always @(posedge clk) begin
    cycles <= clear ? 64'd0 : cycles + 64'd1;
    if (read && address == 6'd32) high <= cycles[63:32];
    if (clear) high <= 32'd0;
    images <= clear ? 32'd0 : images + image_sent;
    batches <= clear ? 32'd0 : batches + results_sent;
    busy_cycles <= clear ? 32'd0 : busy_cycles + sequencer_busy;
    stalls <= clear ? 32'd0 : stalls + sequencer_stall;
    steps <= clear ? 32'd0 : steps + sequencer_step;
    weight_stalls <= clear ? 32'd0 : weight_stalls + weight_stall;
    drops <= clear ? 32'd0 : drops + packets_dropped;
    errors <= (errors & ~((write && address == 6'd18) ? writedata[9:0] : 10'd0)) | events;
    irq_status <= (irq_status & ~((write && address == 6'd20) ? writedata[1:0] : 2'd0))
        | {events != 0, results_sent};
    if (clear) begin
      errors <= 10'd0;
      irq_status <= 2'd0;
    end
    if (write && address == 6'd19) irq_enable <= writedata[1:0];
    if (reset || soft_reset) irq_enable <= 2'd0;
  end

  // ---- reads

  reg [31:0] answer;
  always @* begin
    case (address)
      6'd0: answer = 32'h58464343;
      6'd1: answer = 32'h00020000;
      6'd2: answer = 3;
      6'd3: answer = 5;
      6'd4: answer = 7;
      6'd5: answer = 2;
      6'd6: answer = 40;
      6'd7: answer = MAX_LAYERS;
      6'd8: answer = 11;
      6'd9: answer = 77;
      6'd10: answer = 13;
      6'd11: answer = 64;
      6'd12: answer = 9;
      6'd14: answer = 2;
      6'd15: answer = 1;
      6'd16: answer = {pixel_mode, running};
      6'd17: answer = {busy, running};
      6'd18: answer = errors;
      6'd19: answer = irq_enable;
      6'd20: answer = irq_status;
      6'd28: answer = weights_loaded;
      6'd29: answer = thresholds_loaded;
      6'd30: answer = weights_crc;
      6'd31: answer = thresholds_crc;
      6'd32: answer = cycles[31:0];
      6'd33: answer = high;
      6'd34: answer = images;
      6'd35: answer = batches;
      6'd36: answer = busy_cycles;
      6'd37: answer = stalls;
      6'd38: answer = drops;
      6'd39: answer = latency;
      6'd40: answer = steps;
      6'd41: answer = weight_stalls;
      // The configuration; 0 where there is no register.
      default: answer = (address == that) ? value : 32'd0;
    endcase
  end
  wire told = address == that || !configures(address);
  reg read_s1;
  reg told_s1;
  reg [31:0] answer_s1;
  always @(posedge clk) begin
    read_s1 <= read && !reset;
    told_s1 <= told;
    answer_s1 <= answer;
  end

  // For the induction.
  (* hierconn *) wire \dut.soft_reset_reg ;
  (* hierconn *) wire \dut.autostart_reg ;
  (* hierconn *) wire \dut.occupied_reg ;
  (* hierconn *) wire \dut.load_select_reg ;
  (* hierconn *) wire [9:0] \dut.error_reg ;
  (* hierconn *) wire [1:0] \dut.irq_status_reg ;
  (* hierconn *) wire [1:0] \dut.irq_enable_reg ;
  (* hierconn *) wire [63:0] \dut.cycles_reg ;
  (* hierconn *) wire [31:0] \dut.cycles_high_reg ;
  (* hierconn *) wire [31:0] \dut.images_reg ;
  (* hierconn *) wire [31:0] \dut.batches_reg ;
  (* hierconn *) wire [31:0] \dut.busy_cycles_reg ;
  (* hierconn *) wire [31:0] \dut.stall_cycles_reg ;
  (* hierconn *) wire [31:0] \dut.step_cycles_reg ;
  (* hierconn *) wire [31:0] \dut.weight_stall_cycles_reg ;
  (* hierconn *) wire [31:0] \dut.dropped_reg ;

  always @* begin
    if (started) begin
      assert (readdatavalid == read_s1);
      if (read_s1 && told_s1) assert (readdata == answer_s1);

      assert (shown == value && pixel_mode == mode);
      if (locked_s1 && !resetting) assert (configuration == configuration_s1);
      assert (chunk == writedata);
      assert (weight_restart == (write && !locked && address == 6'd26 && !writedata[0]));
      assert (threshold_restart == (write && !locked && address == 6'd26 && writedata[0]));
      assert (chunk_valid == (write && !locked && address == 6'd27));
      assert (chunk_threshold == selected);

      if (running && !running_s1) assert (content_s1);
      if (!core_reset && (checking || running)) assert (configuration == checked);
      if (!core_reset && checking) assert (locked);
      assert (locked_out == locked);
      assert (check_start == start_s1);
      assert (core_reset == (reset || resetting));
      assert (now == cycles[31:0]);
      assert (irq == ((irq_status & irq_enable) != 0));

      assert (\dut.soft_reset_reg == resetting && !\dut.autostart_reg );
      assert (\dut.load_select_reg == selected && \dut.occupied_reg == occupied);
      assert (that != 6'd26 || value == selected);
      assert (\dut.cycles_reg == cycles && \dut.cycles_high_reg == high);
      assert (\dut.images_reg == images && \dut.batches_reg == batches);
      assert (\dut.busy_cycles_reg == busy_cycles && \dut.stall_cycles_reg == stalls);
      assert (\dut.step_cycles_reg == steps && \dut.weight_stall_cycles_reg == weight_stalls);
      assert (\dut.dropped_reg == drops && \dut.error_reg == errors);
      assert (\dut.irq_status_reg == irq_status && \dut.irq_enable_reg == irq_enable);
    end
  end

endmodule

`default_nettype wire
