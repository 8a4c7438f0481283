// SPDX-License-Identifier: Apache-2.0
//
// Top level for the ULX3S-85F (Lattice ECP5): pins, clock, reset and synchronisers. What happens
// behind them is in serial_demo.v; the one part of a vendor is the PLL here.
//
// PWR resets. While FIRE1, FIRE2 or UP is held, the lamps show images answered in the last second
// (hundred and ten thousands; thousands and hundreds; with both tens and ones), or the wrong
// answers of the worst round. The serial line is that of the USB socket US1, 1 Mbaud.
//
// The parameters come from `make ulx3s` (verif/measure/ulx3s.py), which also writes the memory
// files.

`default_nettype none

module ulx3s #(
    // Neurons computed at once in a lane, like all of the core's parameters here: see xnor_fcc.v.
    parameter PE = 16,
    // Synapses per PE and cycle.
    parameter SIMD = 32,
    // Images computed in step.
    parameter LANES = 1,
    // Most inputs or neurons of a layer.
    parameter MAX_WIDTH = 128,
    // Ring positions that PEs see.
    parameter TAPS = 4,
    // Layers of the largest network.
    parameter MAX_LAYERS = 3,
    // Classes of the largest network.
    parameter MAX_CLASSES = 10,
    // Words of the weight memory.
    parameter WEIGHT_DEPTH = 1024,
    // Words of one bank of it.
    parameter BANK_DEPTH = 1024,
    // Words of the threshold memory.
    parameter THRESHOLD_DEPTH = 512,
    // Bits of a beat of images.
    parameter IMAGE_WIDTH = 64,
    // Pixels of an image (1 to MAX_WIDTH).
    parameter INPUTS = 64,
    // Images in the ring: a power of two (>= 2).
    parameter IMAGES = 64,
    // Path and prefix of the memory files: those of the core (see xnor_fcc.v), PRESET_images.hex
    // and PRESET_labels.hex.
    parameter PRESET = "preset",
    // Clock of the core in MHz, out of the PLL: a multiple of 5 (10 to 200).
    parameter CLOCK_MHZ = 50,
    // Cycles after which the images of a second are shown (2 to 2^31 - 1); shorter in simulation.
    parameter SECOND = 1000000 * CLOCK_MHZ,
    // Bits a second of the serial line.
    parameter BAUD = 1000000,
    // Bits that pass in silence before a frame counts as cut; shorter in simulation.
    parameter TIMEOUT = 131072
) (
    input  wire       clk_25mhz,
    // PWR, active low; then FIRE1, FIRE2, UP, DOWN, LEFT, RIGHT, active high.
    input  wire [6:0] btn,
    output wire [7:0] led,
    // From the board to the host, named by the other side.
    output wire       ftdi_rxd,
    input  wire       ftdi_txd,
    // High: the ESP32 leaves the FPGA alone.
    output wire       wifi_gpio0
);

  // The reference is divided to 5 MHz, the oscillator runs at 400 to 800 MHz.
  localparam CLKOP_DIV = (600 + CLOCK_MHZ / 2) / CLOCK_MHZ;

  wire       clk;
  wire       locked;
  wire       reset;
  wire [3:1] held;

  generate
    if (CLOCK_MHZ < 10 || CLOCK_MHZ > 200 || CLOCK_MHZ % 5 != 0) begin : g_clock
      CLOCK_MHZ_must_be_a_multiple_of_5_from_10_to_200 refused ();
    end
  endgenerate

  (* FREQUENCY_PIN_CLKI = "25" *)
  (* ICP_CURRENT = "12" *) (* LPF_RESISTOR = "8" *)
  (* MFG_ENABLE_FILTEROPAMP = "1" *) (* MFG_GMCREF_SEL = "2" *)
  EHXPLLL #(
      .CLKI_DIV       (5),
      .CLKFB_DIV      (CLOCK_MHZ / 5),
      .CLKOP_DIV      (CLKOP_DIV),
      // Half of the division, so that the output is in phase with the reference.
      .CLKOP_CPHASE   (CLKOP_DIV / 2),
      .CLKOP_FPHASE   (0),
      .CLKOP_ENABLE   ("ENABLED"),
      .FEEDBK_PATH    ("CLKOP"),
      .OUTDIVIDER_MUXA("DIVA"),
      .PLLRST_ENA     ("DISABLED"),
      .INTFB_WAKE     ("DISABLED"),
      .STDBY_ENABLE   ("DISABLED"),
      .DPHASE_SOURCE  ("DISABLED")
  ) pll (
      .RST         (1'b0),
      .STDBY       (1'b0),
      .CLKI        (clk_25mhz),
      .CLKFB       (clk),
      .CLKOP       (clk),
      .LOCK        (locked),
      .PHASESEL0   (1'b0),
      .PHASESEL1   (1'b0),
      .PHASEDIR    (1'b1),
      .PHASESTEP   (1'b1),
      .PHASELOADREG(1'b1),
      .PLLWAKESYNC (1'b0),
      .ENCLKOP     (1'b0)
  );

  reset_synchroniser reset_synchroniser (
      .clk  (clk),
      .run  (btn[0] && locked),
      .reset(reset)
  );

  synchroniser #(
      .WIDTH(3)
  ) button_synchroniser (
      .clk   (clk),
      .level (btn[3:1]),
      .stable(held)
  );

  serial_demo #(
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
      .SECOND         (SECOND),
      .DIVIDER        (1000000 * CLOCK_MHZ / BAUD),
      .TIMEOUT        (TIMEOUT)
  ) demo (
      .clk       (clk),
      .reset     (reset),
      .rxd       (ftdi_txd),
      .txd       (ftdi_rxd),
      .show_rate ((held[2:1] == 2'd0) ? 2'd3 : held[2:1] - 2'd1),
      .show_worst(held[3]),
      .lamps     (led)
  );

  assign wifi_gpio0 = 1'b1;

  wire unused = &{1'b0, btn[6:4]};

endmodule

`default_nettype wire
