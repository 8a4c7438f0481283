// SPDX-License-Identifier: Apache-2.0
//
// The register file of the core: identification, geometry, control, the description of the network,
// load ports, counters, sticky errors, interrupt. The one module that knows the register map
// (REGISTERS.md, generated with fcc_registers.vh from one source).
//
// Avalon-MM agent without wait states: a write takes effect at the clock edge that ends its cycle,
// `readdatavalid` and `readdata` come one cycle after `read`.

`default_nettype none

module fcc_csr #(
    // The geometry, for software to read back, each as xnor_fcc.v says. Neurons in a lane.
    parameter PE = 1,
    // Synapses per PE and cycle.
    parameter SIMD = 1,
    // Images computed in step.
    parameter LANES = 1,
    // Ring positions that PEs see.
    parameter TAPS = 1,
    // Most inputs or neurons of a layer.
    parameter MAX_WIDTH = 1,
    // Layers of the largest network: entries of the layer table (1 to 16).
    parameter MAX_LAYERS = 1,
    // Classes of the largest network.
    parameter MAX_CLASSES = 1,
    // Words of the weight memory.
    parameter WEIGHT_DEPTH = 2,
    // Words of the threshold memory.
    parameter THRESHOLD_DEPTH = 2,
    // Bits of a beat of images.
    parameter IMAGE_WIDTH = 8,
    // Bits of a signed score (3 to 32).
    parameter SCORE_BITS = 3,
    // 0, or bits of a beat of weights.
    parameter WEIGHT_STREAM = 0,
    // Bits of an activation (1 or 2).
    parameter ORDER = 1,
    // 1: layers may have ternary weights.
    parameter TERNARY = 0,
    // Classes that can learn; 0: there are no labels that could be wrong.
    parameter LEARN = 0,
    // $readmemh file with the registers that have a preset word, see REGISTERS.md, as they shall be
    // after a reset; "" for the reset values of the register map.
    parameter PRESET = ""
) (
    input  wire                     clk,
    input  wire                     reset,
    input  wire [              5:0] avs_address,
    input  wire                     avs_read,
    input  wire                     avs_write,
    input  wire [             31:0] avs_writedata,
    output reg  [             31:0] avs_readdata,
    output reg                      avs_readdatavalid,
    output wire                     irq,
    // Resets everything but this module and the memories.
    output wire                     core_reset,
    // Images are accepted.
    output wire                     running,
    // Configuration is refused.
    output wire                     locked,
    output wire                     pixel_mode,
    output wire [              7:0] pixel_threshold,
    output wire [             15:0] pixel_residual,
    output wire [             15:0] inputs,
    output wire [             15:0] classes,
    output wire [             15:0] layers,
    output wire [             31:0] partial_timeout,
    output wire [32*MAX_LAYERS-1:0] table_entries,
    output wire [             31:0] now,
    // Table check (fcc_table_check).
    output reg                      check_start,
    input  wire                     check_busy,
    input  wire                     check_done,
    input  wire                     check_ok,
    input  wire                     check_bad_table,
    input  wire                     check_not_loaded,
    // Load ports (fcc_word_loader, fcc_load_crc).
    output wire                     weight_restart,
    output wire                     chunk_valid,
    output wire                     threshold_restart,
    output wire                     chunk_threshold,
    output wire [             31:0] chunk,
    input  wire [             31:0] weights_loaded,
    input  wire [             31:0] thresholds_loaded,
    input  wire [             31:0] weights_crc,
    input  wire [             31:0] thresholds_crc,
    input  wire                     load_overflow,
    // An image or a result is inside.
    input  wire                     core_busy,
    // Events, one cycle each.
    input  wire [              1:0] packets_dropped,
    input  wire                     packet_short,
    input  wire                     packet_long,
    input  wire                     packet_frame,
    input  wire                     packet_flagged,
    input  wire                     sequencer_busy,
    input  wire                     sequencer_step,
    input  wire                     sequencer_stall,
    input  wire                     weight_stall,
    input  wire                     weight_fault,
    input  wire                     bad_label,
    input  wire                     image_sent,
    input  wire                     results_sent,
    input  wire [             31:0] latency
);

  `include "fcc_registers.vh"

  localparam ERRORS = (LEARN != 0) ? ERROR_BITS : ERROR_LABEL;
  localparam PRESET_WORDS = PRESET_LAYER_TABLE + MAX_LAYERS;

  reg         running_reg;
  reg         pixel_mode_reg;
  reg         soft_reset_reg;
  reg         autostart_reg;
  // Running or busy in the cycle before.
  reg         occupied_reg;
  // ENABLE has not been taken back while the table is checked.
  reg         wanted_reg;
  reg  [ERRORS-1:0] error_reg;
  reg  [ 1:0] irq_enable_reg;
  reg  [ 1:0] irq_status_reg;
  reg  [15:0] inputs_reg;
  reg  [15:0] classes_reg;
  reg  [15:0] layers_reg;
  reg  [ 7:0] pixel_threshold_reg;
  reg  [15:0] pixel_residual_reg;
  reg  [31:0] partial_timeout_reg;
  reg         load_select_reg;
  reg  [63:0] cycles_reg;
  reg  [31:0] cycles_high_reg;
  reg  [31:0] images_reg;
  reg  [31:0] batches_reg;
  reg  [31:0] busy_cycles_reg;
  reg  [31:0] stall_cycles_reg;
  reg  [31:0] step_cycles_reg;
  reg  [31:0] weight_stall_cycles_reg;
  reg  [31:0] dropped_reg;

  // From the request to start to the cycle in which the core runs, without a gap.
  wire        checking = check_start || check_busy || check_done;
  // In the cycle in which the core is being reset, what it says counts no more.
  wire        busy = (core_busy || checking) && !soft_reset_reg;
  // Of registers alone, since every write waits for it: nothing becomes busy but while running or
  // after a check began, so that one cycle later is early enough.
  assign locked = running_reg || check_start || occupied_reg;
  wire        configure = avs_write && !locked;
  wire        control_write = avs_write && avs_address == REG_CONTROL;
  wire [ 5:0] table_index = avs_address - REG_LAYER_TABLE;
  wire        is_table = (avs_address >= REG_LAYER_TABLE) && ({26'd0, table_index} < MAX_LAYERS);
  wire        is_configuration = is_table || avs_address == REG_INPUTS
      || avs_address == REG_CLASSES || avs_address == REG_LAYERS
      || avs_address == REG_PIXEL_THRESHOLD || avs_address == REG_PIXEL_RESIDUAL
      || avs_address == REG_PARTIAL_TIMEOUT || avs_address == REG_LOAD_SELECT
      || avs_address == REG_LOAD_DATA;
  wire        enable_request = (control_write && avs_writedata[CONTROL_ENABLE]) || autostart_reg;
  // Enabling a core that runs in the same mode already changes nothing.
  wire        already_running = running_reg && avs_writedata[CONTROL_PIXEL_8BIT] == pixel_mode_reg;
  // A reset asked for in the same write makes the rest of it void.
  wire        reset_request = control_write && avs_writedata[CONTROL_SOFT_RESET];

  wire [31:0] preset[0:PRESET_WORDS-1];
  genvar p;
  generate
    if (PRESET != "") begin : g_preset
      reg [31:0] image[0:PRESET_WORDS-1];
      initial $readmemh(PRESET, image);
      for (p = 0; p < PRESET_WORDS; p = p + 1) begin : g_word
        assign preset[p] = image[p];
      end
    end else begin : g_blank
      assign preset[PRESET_CONTROL] = RESET_CONTROL;
      assign preset[PRESET_INPUTS] = RESET_INPUTS;
      assign preset[PRESET_CLASSES] = RESET_CLASSES;
      assign preset[PRESET_LAYERS] = RESET_LAYERS;
      assign preset[PRESET_PIXEL_THRESHOLD] = RESET_PIXEL_THRESHOLD;
      assign preset[PRESET_PARTIAL_TIMEOUT] = RESET_PARTIAL_TIMEOUT;
      assign preset[PRESET_PIXEL_RESIDUAL] = RESET_PIXEL_RESIDUAL;
      for (p = 0; p < MAX_LAYERS; p = p + 1) begin : g_word
        assign preset[PRESET_LAYER_TABLE+p] = RESET_LAYER_TABLE;
      end
    end
    for (p = 0; p < MAX_LAYERS; p = p + 1) begin : g_table
      reg [31:0] entry_reg;
      assign table_entries[p*32+:32] = entry_reg;
      always @(posedge clk) begin
        if (reset) entry_reg <= preset[PRESET_LAYER_TABLE+p];
        else if (configure && is_table && table_index == p) entry_reg <= avs_writedata;
      end
    end
  endgenerate

  assign running = running_reg;
  assign core_reset = reset || soft_reset_reg;
  assign pixel_mode = pixel_mode_reg;
  assign pixel_threshold = pixel_threshold_reg;
  assign pixel_residual = pixel_residual_reg;
  assign inputs = inputs_reg;
  assign classes = classes_reg;
  assign layers = layers_reg;
  assign partial_timeout = partial_timeout_reg;
  assign now = cycles_reg[31:0];
  assign irq = |(irq_status_reg & irq_enable_reg);

  wire load = configure && avs_address == REG_LOAD_DATA;
  wire restart = configure && avs_address == REG_LOAD_SELECT;
  assign chunk = avs_writedata;
  assign weight_restart = restart && !avs_writedata[0];
  assign threshold_restart = restart && avs_writedata[0];
  assign chunk_valid = load;
  assign chunk_threshold = load_select_reg;

  // Network description: survives a soft reset.
  always @(posedge clk) begin
    if (configure) begin
      case (avs_address)
        REG_INPUTS: inputs_reg <= avs_writedata[15:0];
        REG_CLASSES: classes_reg <= avs_writedata[15:0];
        REG_LAYERS: layers_reg <= avs_writedata[15:0];
        REG_PIXEL_THRESHOLD: pixel_threshold_reg <= avs_writedata[7:0];
        REG_PIXEL_RESIDUAL: pixel_residual_reg <= avs_writedata[15:0];
        REG_PARTIAL_TIMEOUT: partial_timeout_reg <= avs_writedata;
        REG_LOAD_SELECT: load_select_reg <= avs_writedata[0];
        default: ;
      endcase
    end
    if (reset) begin
      inputs_reg <= preset[PRESET_INPUTS][15:0];
      classes_reg <= preset[PRESET_CLASSES][15:0];
      layers_reg <= preset[PRESET_LAYERS][15:0];
      pixel_threshold_reg <= preset[PRESET_PIXEL_THRESHOLD][7:0];
      partial_timeout_reg <= preset[PRESET_PARTIAL_TIMEOUT];
      pixel_residual_reg <= preset[PRESET_PIXEL_RESIDUAL][15:0];
      load_select_reg <= 1'b0;
    end
  end

  // Control, events and errors.
  reg [ERROR_BITS-1:0] error_event;
  always @* begin
    error_event = {ERROR_BITS{1'b0}};
    error_event[ERROR_BAD_TABLE] = check_done && check_bad_table;
    error_event[ERROR_NOT_LOADED] = check_done && check_not_loaded;
    error_event[ERROR_CONFIG_BUSY] = avs_write && locked && !reset_request
        && (is_configuration || (enable_request && !already_running));
    error_event[ERROR_LOAD_OVERFLOW] = load_overflow;
    error_event[ERROR_PACKET_SHORT] = packet_short;
    error_event[ERROR_PACKET_LONG] = packet_long;
    error_event[ERROR_PACKET_FRAME] = packet_frame;
    error_event[ERROR_PACKET_FLAGGED] = packet_flagged;
    error_event[ERROR_WEIGHT_FRAME] = weight_fault;
    error_event[ERROR_LABEL] = (LEARN != 0) && bad_label;
  end

  reg [1:0] irq_event;
  always @* begin
    irq_event = 2'd0;
    irq_event[IRQ_STATUS_RESULT] = results_sent;
    irq_event[IRQ_STATUS_ERROR] = |error_event;
  end

  wire [ERRORS-1:0] error_clear = (avs_write && avs_address == REG_ERROR)
      ? avs_writedata[ERRORS-1:0] : {ERRORS{1'b0}};
  wire [1:0] irq_clear = (avs_write && avs_address == REG_IRQ_STATUS) ? avs_writedata[1:0] : 2'd0;

  always @(posedge clk) begin
    check_start <= enable_request && !locked && !reset_request;
    autostart_reg <= 1'b0;
    soft_reset_reg <= reset_request;
    occupied_reg <= running_reg || busy;
    error_reg <= (error_reg & ~error_clear) | error_event[ERRORS-1:0];
    irq_status_reg <= (irq_status_reg & ~irq_clear) | irq_event;
    if (avs_write && avs_address == REG_IRQ_ENABLE) begin
      irq_enable_reg <= {avs_writedata[IRQ_ENABLE_ERROR], avs_writedata[IRQ_ENABLE_RESULT]};
    end
    if (control_write && avs_writedata[CONTROL_ENABLE] && !locked && !reset_request) begin
      pixel_mode_reg <= avs_writedata[CONTROL_PIXEL_8BIT];
    end
    if (enable_request && !locked) wanted_reg <= 1'b1;
    if (check_done && check_ok && wanted_reg) running_reg <= 1'b1;
    if (control_write && !avs_writedata[CONTROL_ENABLE]) begin
      wanted_reg  <= 1'b0;
      running_reg <= 1'b0;
    end

    // What software sets is reset with its write, so that the next write counts; what the core
    // reports is reset one cycle later, with the core.
    if (reset || reset_request) begin
      check_start <= 1'b0;
      wanted_reg <= 1'b0;
      running_reg <= 1'b0;
      occupied_reg <= 1'b0;
      irq_enable_reg <= 2'd0;
    end
    if (core_reset) begin
      error_reg <= {ERRORS{1'b0}};
      irq_status_reg <= 2'd0;
    end
    if (reset) begin
      soft_reset_reg <= 1'b0;
      autostart_reg  <= preset[PRESET_CONTROL][CONTROL_ENABLE];
      pixel_mode_reg <= preset[PRESET_CONTROL][CONTROL_PIXEL_8BIT];
    end
  end

  // Counters.
  always @(posedge clk) begin
    cycles_reg <= cycles_reg + 64'd1;
    if (avs_read && avs_address == REG_CYCLES) cycles_high_reg <= cycles_reg[63:32];
    images_reg <= images_reg + {31'd0, image_sent};
    batches_reg <= batches_reg + {31'd0, results_sent};
    busy_cycles_reg <= busy_cycles_reg + {31'd0, sequencer_busy};
    stall_cycles_reg <= stall_cycles_reg + {31'd0, sequencer_stall};
    step_cycles_reg <= step_cycles_reg + {31'd0, sequencer_step};
    weight_stall_cycles_reg <= weight_stall_cycles_reg + {31'd0, weight_stall};
    dropped_reg <= dropped_reg + {30'd0, packets_dropped};
    if (core_reset) begin
      cycles_reg <= 64'd0;
      cycles_high_reg <= 32'd0;
      images_reg <= 32'd0;
      batches_reg <= 32'd0;
      busy_cycles_reg <= 32'd0;
      stall_cycles_reg <= 32'd0;
      step_cycles_reg <= 32'd0;
      weight_stall_cycles_reg <= 32'd0;
      dropped_reg <= 32'd0;
    end
  end

  // Read multiplexer.
  reg [31:0] entry;
  integer i;
  always @* begin
    entry = 32'd0;
    for (i = 0; i < MAX_LAYERS; i = i + 1) begin
      if (is_table && table_index == i[5:0]) entry = table_entries[i*32+:32];
    end
  end

  reg [31:0] value;
  always @* begin
    value = 32'd0;
    case (avs_address)
      REG_ID: value = ID_VALUE;
      REG_VERSION: value = VERSION_VALUE;
      REG_PE: value = PE;
      REG_SIMD: value = SIMD;
      REG_LANES: value = LANES;
      REG_TAPS: value = TAPS;
      REG_MAX_WIDTH: value = MAX_WIDTH;
      REG_MAX_LAYERS: value = MAX_LAYERS;
      REG_MAX_CLASSES: value = MAX_CLASSES;
      REG_WEIGHT_DEPTH: value = WEIGHT_DEPTH;
      REG_THRESHOLD_DEPTH: value = THRESHOLD_DEPTH;
      REG_IMAGE_WIDTH: value = IMAGE_WIDTH;
      REG_SCORE_BITS: value = SCORE_BITS;
      REG_WEIGHT_STREAM: value = WEIGHT_STREAM;
      REG_ORDER: value = ORDER;
      REG_TERNARY: value = TERNARY;
      REG_CONTROL: begin
        value[CONTROL_ENABLE] = running_reg;
        value[CONTROL_PIXEL_8BIT] = pixel_mode_reg;
      end
      REG_STATUS: begin
        value[STATUS_RUNNING] = running_reg;
        value[STATUS_BUSY] = busy;
      end
      REG_ERROR: value = {{32 - ERRORS{1'b0}}, error_reg};
      REG_IRQ_ENABLE: value = {30'd0, irq_enable_reg};
      REG_IRQ_STATUS: value = {30'd0, irq_status_reg};
      REG_INPUTS: value = {16'd0, inputs_reg};
      REG_CLASSES: value = {16'd0, classes_reg};
      REG_LAYERS: value = {16'd0, layers_reg};
      REG_PIXEL_THRESHOLD: value = {24'd0, pixel_threshold_reg};
      REG_PIXEL_RESIDUAL: value = {16'd0, pixel_residual_reg};
      REG_PARTIAL_TIMEOUT: value = partial_timeout_reg;
      REG_LOAD_SELECT: value = {31'd0, load_select_reg};
      REG_WEIGHTS_LOADED: value = weights_loaded;
      REG_THRESHOLDS_LOADED: value = thresholds_loaded;
      REG_WEIGHTS_CRC: value = weights_crc;
      REG_THRESHOLDS_CRC: value = thresholds_crc;
      REG_CYCLES: value = cycles_reg[31:0];
      REG_CYCLES_HIGH: value = cycles_high_reg;
      REG_IMAGES: value = images_reg;
      REG_BATCHES: value = batches_reg;
      REG_BUSY_CYCLES: value = busy_cycles_reg;
      REG_STALL_CYCLES: value = stall_cycles_reg;
      REG_DROPPED: value = dropped_reg;
      REG_LATENCY: value = latency;
      REG_STEP_CYCLES: value = step_cycles_reg;
      REG_WEIGHT_STALL_CYCLES: value = weight_stall_cycles_reg;
      default: value = entry;
    endcase
  end

  always @(posedge clk) begin
    avs_readdatavalid <= avs_read && !reset;
    if (avs_read) avs_readdata <= value;
  end

endmodule

`default_nettype wire
