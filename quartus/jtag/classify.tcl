# SPDX-License-Identifier: Apache-2.0
#
# Loads a network into the core over JTAG and classifies images, for a board without Linux. The FPGA
# must hold the system of jtag_system.tcl.
#
#   system-console --script=quartus/jtag/classify.tcl FILE
#
# FILE comes from `xnor-fcc pack --out FILE --images IMAGES`: the network as register writes, and
# images. Prints a line an image; exit code 0 if every image was answered as its label says (or has no
# label), 1 if not, 2 with one sentence if something is wrong. The core is left stopped.
#
# Every weight chunk is one access over JTAG, for they all go to one register: the MNIST network takes
# some hundred thousand.

set usage "usage: system-console --script=quartus/jtag/classify.tcl FILE"
# Some versions do not tell where the script is; then it is started from the top of the repository.
set here [file join [file dirname [info script]] .. hps]
if {![file exists [file join $here address_map.tcl]]} {
  set here quartus/hps
}
source [file join $here address_map.tcl]

# Seconds without an answer after which the core counts as dead.
if {![info exists patience]} {
  set patience 5
}
set master ""

proc stop {message} {
  global master
  if {$master ne ""} {
    catch {rest}
    catch {close_service master $master}
  }
  puts stderr "error: $message"
  exit 2
}

# ---- access, by names of address_map.tcl

proc constant {name} {
  return [expr {$::xfcc($name)}]
}

proc address {part offset} {
  return [format 0x%08x [expr {[constant JTAG_REGISTERS] + [constant ${part}_OFFSET] + $offset}]]
}

proc read_part {part offset} {
  return [expr {[master_read_32 $::master [address $part $offset] 1]}]
}

proc write_part {part offset value} {
  master_write_32 $::master [address $part $offset] [format 0x%08x $value]
}

proc read_register {name} {
  return [read_part CORE [constant REG_$name]]
}

proc write_register {name value} {
  write_part CORE [constant REG_$name] $value
}

proc wait_for {condition complaint} {
  set end [expr {[clock seconds] + $::patience}]
  while {![uplevel 1 [list expr $condition]]} {
    if {[clock seconds] > $end} {
      stop "$complaint within $::patience s; the core dropped [read_register DROPPED] images, its\
          ERROR register is [format 0x%x [read_register ERROR]]."
    }
  }
}

# Stops the core and empties the engines; the loaded network stays.
proc rest {} {
  write_register CONTROL [constant CONTROL_SOFT_RESET]
  foreach engine {IMAGE RESULT} {
    write_part ${engine}_CSR [constant DMA_CONTROL] [constant DMA_CONTROL_RESET]
  }
  write_register CONTROL [constant CONTROL_SOFT_RESET]
}

proc post {engine read write length control} {
  foreach {word value} [list READ_ADDRESS $read WRITE_ADDRESS $write LENGTH $length \
      DESCRIPTOR_CONTROL $control] {
    write_part ${engine}_DESCRIPTOR [constant DMA_$word] $value
  }
}

# ---- the commands of the file

proc numbers {words} {
  set result {}
  foreach word $words {
    if {[scan $word %x%c value rest] != 1} {
      stop "$::file is damaged: $word is no number."
    }
    lappend result $value
  }
  return $result
}

proc expect {offset value name} {
  set found [read_part CORE $offset]
  if {$found != $value} {
    stop "the core's $name is [format 0x%x $found], but $::file is for a core where it is\
        [format 0x%x $value]."
  }
}

proc check {offset value name} {
  set found [read_part CORE $offset]
  if {$found != $value} {
    stop "the network did not arrive as it was sent: $name is [format 0x%x $found], not\
        [format 0x%x $value]."
  }
}

# Class of one image.
proc classify {number bytes words} {
  set count [expr {$::classes + 1}]
  # Behind the image, at a multiple of the longest beat.
  set result [expr {($bytes + 63) / 64 * 64}]
  if {$result + 4 * $count > [constant BUFFER_BYTES]} {
    stop "an image of $bytes bytes does not fit the buffer."
  }
  set buffer [constant JTAG_BUFFER]
  set values {}
  foreach word $words {
    lappend values [format 0x%08x $word]
  }
  master_write_32 $::master [format 0x%08x $buffer] $values
  set base [constant DMA_BUFFER]
  post RESULT 0 [expr {$base + $result}] [expr {4 * $count}] [constant DMA_GO]
  post IMAGE $base 0 $bytes [expr {[constant DMA_GO] | [constant DMA_GENERATE_SOP]
      | [constant DMA_GENERATE_EOP]}]
  wait_for {!([read_part RESULT_CSR [constant DMA_STATUS]] & [constant DMA_STATUS_BUSY])} \
      "image $number was not answered"
  # The last word: class and number, the first byte of the stream first in memory.
  set at [format 0x%08x [expr {$buffer + $result + 4 * $::classes}]]
  set raw [expr {[master_read_32 $::master $at 1]}]
  set found [expr {($raw & 0xff) << 8 | ($raw >> 8 & 0xff)}]
  set answered [expr {($raw >> 16 & 0xff) << 8 | ($raw >> 24 & 0xff)}]
  if {$answered != $number % 65536} {
    stop "image $number was answered as image $answered."
  }
  return $found
}

# ---- arguments

if {[lindex $argv 0] in {-h --help}} {
  puts $usage
  exit 0
}
if {[llength $argv] != 1} {
  stop "one file is needed; $usage"
}
set file [lindex $argv 0]
if {![file isfile $file]} {
  stop "there is no file $file: make one with xnor-fcc pack."
}
set stream [open $file]
set lines [split [string trimright [read $stream]] "\n"]
close $stream

# ---- the board

# System Console finds the cable and what is behind it only some time after it has been started.
set end [expr {[clock seconds] + $patience}]
while {[llength [set paths [get_service_paths master]]] == 0 && [clock seconds] < $end} {
  refresh_connections
  after 100
}
if {[llength $paths] == 0} {
  stop "there is no JTAG-to-Avalon master: connect the board and configure the FPGA first."
}
set claimed [claim_service master [lindex $paths 0] xnor_fcc]
set master $claimed
set id [read_register ID]
if {$id != [constant ID_VALUE]} {
  # Nothing may be written to what is not known.
  set master ""
  close_service master $claimed
  stop "there is no xnor-fcc core behind [lindex $paths 0]: its identification reads\
      [format 0x%08x $id]."
}
rest

set control [constant CONTROL_ENABLE]
set classes 0
set number 0
set wrong 0
foreach line $lines {
  set words [lassign $line command]
  switch -glob -- $command {
    expect {expect {*}[numbers [lrange $words 0 1]] [lindex $words 2]}
    write {
      set values [lassign [numbers $words] offset]
      foreach value $values {
        write_part CORE $offset $value
      }
    }
    check {check {*}[numbers [lrange $words 0 1]] [lindex $words 2]}
    control {set control [numbers $words]}
    classes {set classes [numbers $words]}
    image {
      set values [lassign [numbers $words] bytes label]
      if {$number == 0} {
        write_register CONTROL $control
        wait_for {[read_register STATUS] & [constant STATUS_RUNNING]} "the core does not start"
      }
      set found [classify $number $bytes $values]
      set remark ""
      if {$label != 0xffffffff && $label != $found} {
        set remark ", not $label"
        incr wrong
      }
      puts "image $number: $found$remark"
      incr number
    }
    {} - #* {}
    default {stop "$file is not a file of xnor-fcc pack: it says $command."}
  }
}
puts "$number images, $wrong wrong"
rest
close_service master $master
exit [expr {$wrong > 0}]
