# SPDX-License-Identifier: Apache-2.0
#
# A Platform Designer system for a board without Linux: the core, its DMA engines and their memory
# behind a JTAG-to-Avalon master, to be used from System Console (classify.tcl). From the top of the
# repository:
#
#   qsys-script --script=quartus/jtag/jtag_system.tcl --search-path=quartus/hps/,$ \
#       [--cmd="set parameters {PE 16 SIMD 64}"]
#
# writes xnor_fcc_jtag.qsys. `parameters` are those of the core that differ from its defaults.

package require -exact qsys 16.1

# Some versions do not tell where the script is; then it is started from the top of the repository.
set here [file join [file dirname [info script]] .. hps]
if {![file exists [file join $here accelerator.tcl]]} {
  set here quartus/hps
}
source [file join $here address_map.tcl]
source [file join $here accelerator.tcl]
if {![info exists parameters]} {
  set parameters {}
}

create_system xnor_fcc_jtag
set_project_property DEVICE_FAMILY {Cyclone V}
set_project_property DEVICE 5CSEMA5F31C6

add_accelerator $parameters

add_instance jtag altera_jtag_avalon_master
add_connection clk.clk jtag.clk
add_connection clk.clk_reset jtag.clk_reset
connect_host jtag.master $xfcc(JTAG_REGISTERS) \
    jtag.master $xfcc(JTAG_BUFFER)

save_system xnor_fcc_jtag.qsys
