// SPDX-License-Identifier: Apache-2.0
//
// Top level for the DE1-SoC: pins, clock, reset and synchronisers. What happens behind them is in
// demo.v, which has no pin and no vendor's part in it.
//
// KEY0 resets. SW5..0 choose an image (as many switches as IMAGES needs), SW9 chooses what HEX5..0
// show:
//
//   SW9 down   HEX0 the digit found, HEX1 the label, HEX5..3 thousands of images a second
//   SW9 up     images a second
//
// LEDR9..0 show in binary how many images were answered wrongly in the worst round since reset.
//
// The parameters come from `python -m xnor_fcc.board.demo`, which also writes the memory files.

`default_nettype none

module de1_soc #(
    // Neurons computed at once in a lane, like all of the core's parameters here: see xnor_fcc.v.
    parameter PE = 69,
    // Synapses per PE and cycle.
    parameter SIMD = 205,
    // Images computed in step.
    parameter LANES = 2,
    // Most inputs or neurons of a layer.
    parameter MAX_WIDTH = 1024,
    // Ring positions that PEs see.
    parameter TAPS = 1,
    // Layers of the largest network.
    parameter MAX_LAYERS = 4,
    // Classes of the largest network.
    parameter MAX_CLASSES = 10,
    // Words of the weight memory.
    parameter WEIGHT_DEPTH = 215,
    // Words of one bank of it.
    parameter BANK_DEPTH = 256,
    // Words of the threshold memory.
    parameter THRESHOLD_DEPTH = 46,
    // Bits of a beat of images.
    parameter IMAGE_WIDTH = 64,
    // Pixels of an image (1 to MAX_WIDTH).
    parameter INPUTS = 784,
    // Images in the ring: a power of two from 2 to 512, one for every position of the switches.
    parameter IMAGES = 64,
    // Path and prefix of the memory files: those of the core (see xnor_fcc.v), PRESET_images.hex
    // and PRESET_labels.hex. A path is relative to the project, or to where a simulator runs.
    parameter PRESET = "preset",
    // Clock of the core in MHz: 50 straight from the pin, 51 to 199 out of a PLL.
    parameter CLOCK_MHZ = 50,
    // Cycles after which the images of a second are shown (2 to 2^31 - 1); shorter in simulation.
    parameter SECOND = 1000000 * CLOCK_MHZ
) (
    input  wire       CLOCK_50,
    // Active low.
    input  wire [3:0] KEY,
    input  wire [9:0] SW,
    output wire [9:0] LEDR,
    // Segments a to g of a digit in bits 0 to 6, active low.
    output wire [6:0] HEX0,
    output wire [6:0] HEX1,
    output wire [6:0] HEX2,
    output wire [6:0] HEX3,
    output wire [6:0] HEX4,
    output wire [6:0] HEX5
);

  localparam INDEX_BITS = $clog2(IMAGES);
  // Digits of the frequency as characters, for its name.
  localparam [31:0] HUNDREDS = 48 + CLOCK_MHZ / 100;
  localparam [31:0] TENS = 48 + CLOCK_MHZ / 10 % 10;
  localparam [31:0] UNITS = 48 + CLOCK_MHZ % 10;

  wire       clk;
  wire       locked;
  wire       reset;
  wire [9:0] switches;

  generate
    if (IMAGES < 2 || IMAGES > 512 || IMAGES != (1 << INDEX_BITS)) begin : g_images
      IMAGES_must_be_a_power_of_two_from_2_to_512 refused ();
    end
    if (CLOCK_MHZ == 50) begin : g_pin
      assign clk = CLOCK_50;
      assign locked = 1'b1;
    end else if (CLOCK_MHZ > 50 && CLOCK_MHZ < 100) begin : g_pll
      board_pll #(
          .FREQUENCY({TENS[7:0], UNITS[7:0], ".0 MHz"})
      ) pll (
          .refclk(CLOCK_50),
          .clk   (clk),
          .locked(locked)
      );
    end else if (CLOCK_MHZ >= 100 && CLOCK_MHZ < 200) begin : g_fast_pll
      board_pll #(
          .FREQUENCY({HUNDREDS[7:0], TENS[7:0], UNITS[7:0], ".0 MHz"})
      ) pll (
          .refclk(CLOCK_50),
          .clk   (clk),
          .locked(locked)
      );
    end else begin : g_clock
      CLOCK_MHZ_must_be_50_to_199 refused ();
    end
  endgenerate

  reset_synchroniser reset_synchroniser (
      .clk  (clk),
      .run  (KEY[0] && locked),
      .reset(reset)
  );

  synchroniser #(
      .WIDTH(10)
  ) switch_synchroniser (
      .clk  (clk),
      .level(SW),
      .stable(switches)
  );

  demo #(
      .PE             (PE),
      .SIMD           (SIMD),
      .LANES          (LANES),
      .MAX_WIDTH      (MAX_WIDTH),
      .TAPS           (TAPS),
      .MAX_LAYERS     (MAX_LAYERS),
      .MAX_CLASSES    (MAX_CLASSES),
      .WEIGHT_DEPTH   (WEIGHT_DEPTH),
      .BANK_DEPTH     (BANK_DEPTH),
      .THRESHOLD_DEPTH(THRESHOLD_DEPTH),
      .IMAGE_WIDTH    (IMAGE_WIDTH),
      .INPUTS         (INPUTS),
      .IMAGES         (IMAGES),
      .PRESET         (PRESET),
      .SECOND         (SECOND)
  ) demo (
      .clk      (clk),
      .reset    (reset),
      .selected (switches[INDEX_BITS-1:0]),
      .show_rate(switches[9]),
      .segments ({HEX5, HEX4, HEX3, HEX2, HEX1, HEX0}),
      .errors   (LEDR)
  );

  wire unused = &{1'b0, KEY[3:1], switches};

endmodule

`default_nettype wire
