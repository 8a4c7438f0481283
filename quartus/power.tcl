# SPDX-License-Identifier: Apache-2.0
#
# Power of the core from recorded activity: gives Quartus' power analyser the waveforms that
# `make activity` wrote, of a project that is already compiled.
#
#   quartus_sh -t quartus/power.tcl PROJECT VCD [INSTANCE]
#
#   PROJECT   the .qpf file of a compiled project
#   VCD       build/activity/throughput/activity.vcd: whole batches in the steady state, times from
#             0, so that no start and end time is needed
#   INSTANCE  where xnor_fcc is in the project, as Quartus writes paths: top|fpga_core:inst|...;
#             default: the top-level entity, a project of xnor_fcc alone
#
# The waveforms must be of the core that was compiled: same parameters, same network. They come from
# the source, not from the netlist, so registers and ports take their activity from the file and the
# logic between them is estimated (vectorless) from those. How many signals found theirs is told by
# the confidence in the report; a name that Quartus writes differently is estimated, not refused.
# The assignments are made for this run only and leave the project's settings as they were.

package require ::quartus::project
package require ::quartus::flow

set usage "usage: quartus_sh -t quartus/power.tcl PROJECT VCD \[INSTANCE\]"

proc stop {message {code 2}} {
  puts stderr "error: $message"
  exit $code
}

# Makes the assignments, or with "-remove" takes them back.
proc assign {vcd instance args} {
  set section [file tail $vcd]
  set_instance_assignment -name POWER_READ_INPUT_FILE $section -to $instance {*}$args
  foreach {name value} [list POWER_INPUT_FILE_NAME $vcd POWER_INPUT_FILE_TYPE VCD] {
    set_global_assignment -name $name $value -section_id $section {*}$args
  }
  foreach name {POWER_USE_INPUT_FILES POWER_USE_PVA POWER_REPORT_SIGNAL_ACTIVITY} {
    set_global_assignment -name $name ON {*}$args
  }
}

# ---- arguments

set arguments [expr {[info exists quartus(args)] ? $quartus(args) : $argv}]
if {[lindex $arguments 0] in {-h --help}} {
  puts $usage
  exit 0
}
if {[llength $arguments] < 2 || [llength $arguments] > 3} {
  stop "two or three arguments are needed; $usage"
}
lassign $arguments project vcd instance
set project [file normalize [file rootname $project]]
set vcd [file normalize $vcd]
if {![file exists $project.qpf]} {
  stop "there is no project $project.qpf: compile one first."
}
if {![file isfile $vcd]} {
  stop "there is no file $vcd: run make activity first."
}
set stream [open $vcd]
set start [read $stream 4096]
close $stream
if {![regexp {\$(scope|timescale|version|date)\M} $start]} {
  stop "$vcd is not a VCD file: give the one that make activity wrote."
}

# ---- analysis

cd [file dirname $project]
project_open -current_revision [file tail $project]
if {$instance eq ""} {
  set instance [get_global_assignment -name TOP_LEVEL_ENTITY]
}
assign $vcd $instance
set failed [catch {execute_module -tool pow} message]
assign $vcd $instance -remove
set directory [get_global_assignment -name PROJECT_OUTPUT_DIRECTORY]
project_close
if {$failed} {
  stop "the power analyser failed, is the project compiled? $message" 1
}
set reports [file normalize $directory]
foreach summary [glob -nocomplain -directory $reports *.pow.summary] {
  set stream [open $summary]
  puts [read $stream]
  close $stream
}
puts "The full report, with the confidence in these figures: $reports/*.pow.rpt"
