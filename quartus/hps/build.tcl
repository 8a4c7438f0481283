# SPDX-License-Identifier: Apache-2.0
#
# Makes and compiles a Platform Designer system for the DE1-SoC, from its script to a .sof file:
#
#   quartus_sh -t quartus/hps/build.tcl hps|jtag [NAME VALUE ...]
#
#   hps    the core beside the processor (quartus/hps/system.tcl)
#   jtag   the core behind a JTAG master (quartus/jtag/jtag_system.tcl)
#   NAME VALUE   parameters of the core that differ from its defaults: PE 16 SIMD 64
#
# Everything is made in build/quartus_hps or build/quartus_jtag. The .sof file is made last, and only
# if no slack of any kind is negative in any corner.

set usage "usage: quartus_sh -t quartus/hps/build.tcl hps|jtag \[NAME VALUE ...\]"

proc stop {message {code 2}} {
  puts stderr "error: $message"
  exit $code
}

# A program of Platform Designer, which Quartus keeps in a place of its own.
proc designer {name args} {
  set path $name
  if {[info exists ::quartus(quartus_rootpath)]} {
    set path [file join $::quartus(quartus_rootpath) sopc_builder bin $name]
  }
  if {[catch {exec $path {*}$args >@stdout 2>@stderr} message]} {
    stop "$name failed: [lindex [split $message \n] end]" 1
  }
}

# Worst slack in ns of all kinds and corners, from the summary of the timing analyser.
proc worst_slack {path} {
  if {![file isfile $path]} {
    stop "there is no timing summary $path." 1
  }
  set stream [open $path]
  set slacks {}
  foreach {line slack} [regexp -all -inline -line {^Slack : (.*)$} [read $stream]] {
    if {![string is double -strict $slack]} {
      stop "the timing summary $path has a slack of $slack, which is no number." 1
    }
    lappend slacks $slack
  }
  close $stream
  if {![llength $slacks]} {
    stop "the timing summary $path names no slack." 1
  }
  return [lindex [lsort -real $slacks] 0]
}

# ---- arguments

set arguments [expr {[info exists quartus(args)] ? $quartus(args) : $argv}]
if {[lindex $arguments 0] in {-h --help}} {
  puts $usage
  exit 0
}
set parameters [lassign $arguments host]
if {$host ni {hps jtag} || [llength $parameters] % 2} {
  stop "hps or jtag is needed, then names and values; $usage"
}
foreach package {project flow} {
  if {[catch {package require ::quartus::$package}]} {
    stop "this is no Quartus: run it as quartus_sh -t quartus/hps/build.tcl."
  }
}

# ---- system

set here [file dirname [file normalize [info script]]]
set quartus_dir [file dirname $here]
set output [file join [file dirname $quartus_dir] build quartus_$host]
set top xnor_fcc_$host
set scripts [dict create hps [file join $here system.tcl] \
    jtag [file join $quartus_dir jtag jtag_system.tcl]]
file mkdir $output
cd $output
file delete -force $top $top.qsys output_files
designer qsys-script --script=[dict get $scripts $host] --search-path=$here/,\$ \
    "--cmd=set parameters {$parameters}"
designer qsys-generate $top.qsys --synthesis=VERILOG --part=5CSEMA5F31C6 \
    --output-directory=$top --search-path=$here/,\$
set qip [file join $top synthesis $top.qip]
if {![file isfile $qip]} {
  stop "qsys-generate made no $qip." 1
}

# ---- project: the system is the top level, its pins are named after its exports

project_new $top -overwrite
foreach {name value} [list FAMILY "Cyclone V" DEVICE 5CSEMA5F31C6 TOP_LEVEL_ENTITY $top \
    PROJECT_OUTPUT_DIRECTORY output_files TIMING_ANALYZER_MULTICORNER_ANALYSIS ON \
    NUM_PARALLEL_PROCESSORS ALL QIP_FILE $qip SDC_FILE [file join $here system.sdc]] {
  set_global_assignment -name $name $value
}
# CLOCK_50 and KEY[0].
foreach {port pin} {clk_clk PIN_AF14 reset_reset_n PIN_AA14} {
  set_location_assignment $pin -to $port
  set_instance_assignment -name IO_STANDARD "3.3-V LVTTL" -to $port
}
export_assignments

# ---- compilation

proc compile {tool what} {
  if {[catch {execute_module -tool $tool} message]} {
    stop "$what failed, see output_files in [pwd]: $message" 1
  }
}
compile map "analysis and synthesis"
if {$host eq "hps"} {
  # The standards of the memory's pins, by a script that Platform Designer has made; it needs the
  # netlist, and the project for itself.
  project_close
  set script [file join $top synthesis submodules hps_sdram_p0_pin_assignments.tcl]
  if {[catch {exec quartus_sta -t $script $top >@stdout 2>@stderr} message]} {
    stop "the pins of the processor's memory could not be assigned with $script." 1
  }
  project_open $top
}
compile fit "the fitter"
compile sta "the timing analyser"
set slack [worst_slack [file join output_files $top.sta.summary]]
if {$slack < 0} {
  stop "the timing does not hold (worst slack $slack ns), so no .sof is made: choose a smaller core." 1
}
compile asm "the assembler"
project_close

set sof [file join [pwd] output_files $top.sof]
puts "worst slack $slack ns"
puts $sof
