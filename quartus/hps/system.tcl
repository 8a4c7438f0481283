# SPDX-License-Identifier: Apache-2.0
#
# A Platform Designer system with the core beside the processor of the DE1-SoC: registers of the core
# and of its DMA engines behind the lightweight bridge, the memory for images and results behind the
# full bridge, interrupts 0 (core), 1 and 2 (engines). From the top of the repository:
#
#   qsys-script --script=quartus/hps/system.tcl --search-path=quartus/hps/,$ \
#       [--cmd="set parameters {PE 16 SIMD 64}"]
#
# writes xnor_fcc_hps.qsys. `parameters` are those of the core that differ from its defaults.
#
# The processor boots from the board's own SD card, whose preloader sets up pins, clocks and memory;
# no peripheral is named here, and no preloader may be made from this system. The memory's settings
# are those of the board all the same, because its pins and their timing are part of the design.

package require -exact qsys 16.1

# Some versions do not tell where the script is; then it is started from the top of the repository.
set here [file dirname [info script]]
if {![file exists [file join $here accelerator.tcl]]} {
  set here quartus/hps
}
source [file join $here address_map.tcl]
source [file join $here accelerator.tcl]
if {![info exists parameters]} {
  set parameters {}
}

create_system xnor_fcc_hps
set_project_property DEVICE_FAMILY {Cyclone V}
set_project_property DEVICE 5CSEMA5F31C6

add_accelerator $parameters

add_instance hps altera_hps
# Bridges: the full one 64 bits wide, the lightweight one, none from FPGA to processor.
set_parameters hps {
  S2F_Width 2
  LWH2F_Enable true
  F2S_Width 0
  F2SDRAM_Type {}
  F2SDRAM_Width {}
  F2SINTERRUPT_Enable true
  MPU_EVENTS_Enable false
}
# DDR3 of the DE1-SoC: 1 GB, 32 bits, 400 MHz.
set_parameters hps {
  HPS_PROTOCOL DDR3
  MEM_VOLTAGE {1.5V DDR3}
  MEM_CLK_FREQ 400.0
  MEM_CLK_FREQ_MAX 800.0
  MEM_DQ_WIDTH 32
  MEM_ROW_ADDR_WIDTH 15
  MEM_COL_ADDR_WIDTH 10
  MEM_BANKADDR_WIDTH 3
  MEM_TCL 7
  MEM_WTCL 7
  MEM_DRV_STR RZQ/6
  MEM_RTT_NOM RZQ/6
  MEM_RTT_WR {Dynamic ODT off}
  MEM_TINIT_US 500
  MEM_TMRD_CK 4
  MEM_TRAS_NS 35.0
  MEM_TRCD_NS 13.75
  MEM_TRP_NS 13.75
  MEM_TREFI_US 7.8
  MEM_TRFC_NS 300.0
  MEM_TWR_NS 15.0
  MEM_TWTR 4
  MEM_TFAW_NS 37.5
  MEM_TRRD_NS 7.5
  MEM_TRTP_NS 7.5
  TIMING_TIS 175
  TIMING_TIH 250
  TIMING_TDS 50
  TIMING_TDH 125
  TIMING_TDQSQ 120
  TIMING_TQH 0.38
  TIMING_TDQSCK 400
  TIMING_TDQSS 0.25
  TIMING_TQSH 0.38
  TIMING_TDSH 0.2
  TIMING_TDSS 0.2
  TIMING_BOARD_MAX_CK_DELAY 0.03
  TIMING_BOARD_MAX_DQS_DELAY 0.02
  TIMING_BOARD_SKEW_CKDQS_DIMM_MIN 0.09
  TIMING_BOARD_SKEW_CKDQS_DIMM_MAX 0.16
  TIMING_BOARD_SKEW_WITHIN_DQS 0.01
  TIMING_BOARD_SKEW_BETWEEN_DQS 0.08
  TIMING_BOARD_DQ_TO_DQS_SKEW 0.0
  TIMING_BOARD_AC_SKEW 0.03
  TIMING_BOARD_AC_TO_CK_SKEW 0.0
}
add_interface memory conduit end
set_interface_property memory EXPORT_OF hps.memory

foreach clock {h2f_axi_clock h2f_lw_axi_clock} {
  add_connection clk.clk hps.$clock
}
# A reset of the processor resets what belongs to it.
foreach reset {core.reset image_dma.reset_n result_dma.reset_n stream_buffer.reset1} {
  add_connection hps.h2f_reset $reset
}

# Masters see the bridges from 0 on; the processor sees them at HPS_REGISTERS and HPS_BUFFER.
connect_host hps.h2f_lw_axi_master 0 hps.h2f_axi_master 0

foreach {number sender} {0 core.csr_irq 1 image_dma.csr_irq 2 result_dma.csr_irq} {
  add_connection hps.f2h_irq0 $sender
  set_connection_parameter_value hps.f2h_irq0/$sender irqNumber $number
}

save_system xnor_fcc_hps.qsys
