# SPDX-License-Identifier: Apache-2.0
#
# Builds the demo for the DE1-SoC with Quartus, from memory files to a configuration file:
#
#   quartus_sh -t quartus/build.tcl [options]        --help lists them
#
# The configuration file (.sof) is made last, and only if the timing holds: setup, hold, recovery,
# removal and minimum pulse width, the worst of all corners, and no path without a constraint. One
# line tells what the design takes and how fast it is; report.json has the same figures.
#
# Tcl as of 8.5, which is what Quartus has. Exit code: 0, 1 where Quartus fails or the
# timing does not hold, 2 for wrong arguments.

set usage {usage: quartus_sh -t quartus/build.tcl [options]

  --geometry NAME   a core by name: throughput (default), default, latency, original
  --pe N --simd N --lanes N
                    its sizes one by one
  --network FILE    the network to preset: a name in model/networks or a file (default: mnist)
  --clock MHZ       50 straight from the pin (default), 51 to 199 out of a PLL
  --images N        images in the ring, a power of two (default: 64)
  --first N         number of the first one in the MNIST test set (default: 64)
  --output DIR      where the project is made (default: build/quartus)
  --python PROGRAM  a Python with numpy (default: .venv of the repository, else python3)
}

set root [file dirname [file dirname [file normalize [info script]]]]
set top de1_soc

proc stop {message {code 1}} {
  puts stderr "error: $message"
  exit $code
}

# The files that a list of sources names, one a line, from the top of the repository.
proc listed {path} {
  set stream [open $path]
  set lines [split [read $stream] \n]
  close $stream
  set files {}
  foreach line $lines {
    set line [string trim $line]
    if {$line ne "" && ![string match //* $line]} {
      lappend files [file join $::root $line]
    }
  }
  return $files
}

# Runs the Python command that checks the options and writes memory files and parameters.
proc write_images {python options} {
  # Quartus brings libraries of its own, which it needs again and which Python must not find.
  set kept {}
  foreach name {LD_LIBRARY_PATH PYTHONHOME PYTHONPATH} {
    if {[info exists ::env($name)]} {
      lappend kept $name $::env($name)
      unset ::env($name)
    }
  }
  set ::env(PYTHONPATH) [file join $::root model]
  set failed [catch {exec $python -m xnor_fcc.board.demo {*}$options 2>@1} output]
  unset ::env(PYTHONPATH)
  array set ::env $kept
  if {!$failed} {
    puts $output
    return
  }
  if {[regexp -line {^error: .*$} $output sentence]} {
    puts stderr $sentence
    exit 2
  }
  if {[regexp {No module named '(\S+)'} $output all module]} {
    stop "$python lacks $module: install numpy, or give another --python." 2
  }
  stop "the memory files cannot be made with $python: [lindex [split $output \n] end]" 2
}

# ---- arguments

set arguments [expr {[info exists quartus(args)] ? $quartus(args) : $argv}]
set output [file join $root build quartus]
set python [file join $root .venv bin python]
if {![file exists $python]} {
  set python python3
}
set options {}
if {"-h" in $arguments || "--help" in $arguments} {
  puts -nonewline $usage
  exit 0
}
foreach {name value} $arguments {
  if {$name ni {--geometry --pe --simd --lanes --network --clock --images --first --output --python}} {
    stop "$name is not an option; --help lists them." 2
  }
  if {$value eq ""} {
    stop "$name needs a value; --help tells which." 2
  }
  switch -- $name {
    --output {set output [file normalize $value]}
    --python {set python $value}
    default {lappend options $name $value}
  }
}

foreach package {project flow report} {
  if {[catch {package require ::quartus::$package}]} {
    stop "this is no Quartus: run it as quartus_sh -t quartus/build.tcl." 2
  }
}

set rtl_list [file join $root rtl sources.f]
set board_list [file join $root quartus sources.f]
set board [file join $root quartus $top]
set reports [file join $root quartus reports.tcl]
foreach path [list $rtl_list $board_list $board.qsf $board.sdc $reports] {
  if {![file isfile $path]} {
    stop "the file $path is missing." 2
  }
}
set sources [concat [listed $board_list] [listed $rtl_list]]
foreach path $sources {
  if {![file isfile $path]} {
    stop "the source file $path is missing." 2
  }
}

source $reports

# ---- project

write_images $python [concat $options [list --output $output]]
# What is left of an earlier build must not be taken for this one's.
set results [file join $output output_files]
file delete -force $results [file join $output report.json]

cd $output
source parameters.tcl
project_new $top -overwrite
source $board.qsf
set_global_assignment -name TOP_LEVEL_ENTITY $top
set_global_assignment -name PROJECT_OUTPUT_DIRECTORY output_files
set_global_assignment -name VERILOG_INPUT_VERSION VERILOG_2001
set_global_assignment -name TIMING_ANALYZER_MULTICORNER_ANALYSIS ON
set_global_assignment -name NUM_PARALLEL_PROCESSORS ALL
# Included files, memory files.
set_global_assignment -name SEARCH_PATH [file join $root rtl]
set_global_assignment -name SEARCH_PATH $output
foreach path $sources {
  set_global_assignment -name VERILOG_FILE $path
}
set_global_assignment -name SDC_FILE $board.sdc
foreach {name value} $parameters {
  set_parameter -name $name $value
}
export_assignments

# ---- compilation

foreach {tool what} {map "analysis and synthesis" fit "the fitter" sta "the timing analyser"} {
  if {[catch {execute_module -tool $tool} message]} {
    stop "$what failed, see $results/$top.$tool.rpt: $message"
  }
}

# ---- timing

load_report
if {[catch {
  lassign [resource "Logic utilization (in ALMs)"] alm alms
  lassign [resource "Total RAM Blocks"] m10k m10ks
  set slacks [slacks]
  set fmax [fmax]
  set loose [unconstrained]
} message]} {
  stop $message
}
unload_report

set late {}
set found {}
set measured {}
foreach {kind slack} $slacks {
  if {$slack eq "N/A"} {
    lappend measured $kind null
    continue
  }
  lappend measured $kind $slack
  lappend found "$kind $slack"
  if {$slack < 0} {
    lappend late $kind
  }
}
set clock [dict get $parameters CLOCK_MHZ]
set met [expr {![llength $late] && ![llength $loose]}]
if {$met} {
  if {[catch {execute_module -tool asm} message]} {
    stop "the assembler failed, see $results/$top.asm.rpt: $message"
  }
  set sof [file join $results $top.sof]
  if {![file isfile $sof]} {
    stop "the assembler made no $sof."
  }
}
project_close

set version [expr {[info exists quartus(version)] ? $quartus(version) : "unknown"}]
set report [json_object [list \
    alm $alm m10k $m10k available [json_object [list alm $alms m10k $m10ks]] \
    clock_mhz $clock fmax_mhz $fmax slack_ns [json_object $measured] \
    unconstrained [json_string [join $loose {, }]] timing_met [lindex {false true} $met] \
    sof [expr {$met ? [json_string $sof] : "null"}] quartus [json_string $version] \
    parameters [json_object $parameters]]]
set stream [open [file join $output report.json] w]
puts $stream $report
close $stream
puts "$alm of $alms ALMs, $m10k of $m10ks M10K, Fmax $fmax MHz at a clock of $clock MHz,\
    slack in ns: [join $found {, }]"
if {[llength $late]} {
  stop "the timing does not hold ([join $late {, }]), so no .sof is made: choose a smaller\
      core, or a slower --clock."
}
if {[llength $loose]} {
  stop "not everything is constrained ([join $loose {, }]), so no .sof is made."
}
puts $sof
