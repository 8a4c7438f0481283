# SPDX-License-Identifier: Apache-2.0
#
# The core as a component of Platform Designer: every port of rtl/xnor_fcc.v in one interface, every
# parameter, widths that follow from the parameters. Platform Designer finds this file in a directory
# of its IP search path (--search-path of qsys-script and qsys-generate).

package require -exact qsys 16.1

set_module_property NAME xnor_fcc
set_module_property DISPLAY_NAME "XNOR-Net fully connected core"
set_module_property DESCRIPTION "Classifies images with a binarised fully connected network"
set_module_property GROUP "Neural Networks"
set_module_property VERSION 0.1.0
set_module_property EDITABLE false
set_module_property VALIDATION_CALLBACK validate
set_module_property ELABORATION_CALLBACK elaborate

# ---- files

foreach {set kind} {synthesis QUARTUS_SYNTH simulation SIM_VERILOG} {
  add_fileset $set $kind add_files
  set_fileset_property $set TOP_LEVEL xnor_fcc
}

# The files of the list that simulation, lint and synthesis use too, and what they include.
proc add_files {entity} {
  set root [file join [get_module_property MODULE_DIRECTORY] .. ..]
  set stream [open [file join $root rtl sources.f]]
  foreach line [split [read $stream] "\n"] {
    set line [string trim $line]
    if {$line ne "" && ![string match //* $line]} {
      add_fileset_file [file tail $line] VERILOG PATH [file join $root $line]
    }
  }
  close $stream
  foreach path [glob [file join $root rtl *.vh]] {
    add_fileset_file [file tail $path] VERILOG_INCLUDE PATH $path
  }
}

# ---- parameters: name, type, default, legal values, what it means. The list is written by
# `make facts` from model/xnor_fcc/parameters.json.

# parameters: begin
set parameters {
  PE              INTEGER 32    {1:4096}
      {Neurons computed at once in a lane}
  SIMD            INTEGER 128   {1:4096}
      {Synapses per PE and cycle}
  LANES           INTEGER 4     {1:64}
      {Images computed in step, sharing every weight word}
  MAX_WIDTH       INTEGER 1024  {1:32767}
      {Most inputs or neurons of a layer}
  TAPS            INTEGER 1     {1:4096}
      {Ring positions that PEs see}
  MAX_LAYERS      INTEGER 8     {1:16}
      {Layers of the largest network}
  MAX_CLASSES     INTEGER 16    {1:32767}
      {Classes of the largest network}
  WEIGHT_DEPTH    INTEGER 768   {2:16777216}
      {Words of the weight memory: steps of the largest network}
  BANK_DEPTH      INTEGER 256   {1:16777216}
      {Words of one bank of the weight memory}
  THRESHOLD_DEPTH INTEGER 128   {2:16777216}
      {Words of the threshold memory: groups of the largest network}
  WEIGHT_STREAM   INTEGER 0     {0:512}
      {Bits of a beat of asi_weight; 0 for a core with a weight memory}
  ORDER           INTEGER 1     {1:2}
      {Most bits of an activation}
  TERNARY         INTEGER 0     {0:1}
      {1 for a core that takes ternary weights too}
  LEARN           INTEGER 0     {0:32}
      {Classes whose output layer can learn; 0 for a core that does not}
  MAP_INPUT       INTEGER 0     {0:8192}
      {Words of a bank for an image in a core for convolutions; 0 for one of dense layers only}
  MAP_EVEN        INTEGER 0     {0:8192}
      {Words of a bank for the feature maps of even layers, from layer 0 on}
  MAP_ODD         INTEGER 0     {0:8192}
      {Words of a bank for the feature maps of odd layers, from layer 1 on}
  PIXEL_CHANNELS  INTEGER 3     {1:4}
      {Colours of a pixel in a core for convolutions}
  PIXEL_LEVELS    INTEGER 7     {0:64}
      {Thresholds of each colour in a core for convolutions; 0 where the first layer takes the colours as numbers of 8 bits}
  IMAGE_WIDTH     INTEGER 64    {8 16 32 64 128 256 512}
      {Bits of a beat of asi_image}
  PRESET          STRING  ""    {}
      {Path and prefix of memory files for a core that no host loads}
}
# parameters: end

foreach {name type default legal meaning} $parameters {
  add_parameter $name $type $default $meaning
  set_parameter_property $name DISPLAY_NAME $meaning
  if {$legal ne ""} {
    set_parameter_property $name ALLOWED_RANGES $legal
  }
  set_parameter_property $name HDL_PARAMETER true
}

# What a range of one parameter cannot say; the core refuses the same at elaboration.
proc validate {} {
  foreach name {
    PE SIMD LANES MAX_WIDTH TAPS MAX_CLASSES WEIGHT_DEPTH BANK_DEPTH WEIGHT_STREAM ORDER
    TERNARY LEARN IMAGE_WIDTH MAP_INPUT MAP_EVEN MAP_ODD PIXEL_CHANNELS PIXEL_LEVELS
  } {
    set $name [get_parameter_value $name]
  }
  if {$TAPS > $PE || ($TAPS - 1) * $SIMD >= $MAX_WIDTH} {
    send_message error "TAPS must be 1 to the smaller of PE and the words of the ring."
  }
  if {$MAX_CLASSES > $MAX_WIDTH} {
    send_message error "MAX_CLASSES must be 1 to MAX_WIDTH."
  }
  if {$WEIGHT_DEPTH > 100 * $BANK_DEPTH} {
    send_message error "BANK_DEPTH must make at most 100 banks."
  }
  if {$WEIGHT_STREAM % 8} {
    send_message error "WEIGHT_STREAM must be 0 or a multiple of 8."
  }
  if {$ORDER == 2 && $LANES % 2} {
    send_message error "LANES must be even where ORDER is 2."
  }
  if {$LEARN > $MAX_CLASSES} {
    send_message error "LEARN must be at most MAX_CLASSES."
  }
  if {$LEARN != 0
      && ($TAPS != 1 || $ORDER != 1 || $TERNARY != 0 || $WEIGHT_STREAM != 0 || $MAP_INPUT != 0)} {
    send_message error "LEARN needs TAPS 1, ORDER 1, and no TERNARY, WEIGHT_STREAM or MAP_INPUT."
  }
  if {$MAP_INPUT == 0} {
    if {$MAP_EVEN != 0 || $MAP_ODD != 0} {
      send_message error "MAP_EVEN and MAP_ODD must be 0 where MAP_INPUT is 0."
    }
    return
  }
  if {$MAP_EVEN < 1 || $MAP_ODD < 1} {
    send_message error "MAP_EVEN and MAP_ODD must be at least 1 where MAP_INPUT is not 0."
  }
  if {$LANES != 4 * $ORDER} {
    send_message error "LANES must be 4 for each ORDER where MAP_INPUT is not 0."
  }
  if {$TAPS != 1 || $WEIGHT_STREAM != 0} {
    send_message error "TAPS must be 1 and WEIGHT_STREAM 0 where MAP_INPUT is not 0."
  }
  if {$SIMD % 3 || $SIMD / 3 % $PE} {
    send_message error "SIMD must be three slots that PE divides where MAP_INPUT is not 0."
  }
  if {8 * $PIXEL_CHANNELS > $IMAGE_WIDTH} {
    send_message error "PIXEL_CHANNELS must be symbols of a beat."
  }
  # Of a number there is one bit at a time.
  if {9 * $PIXEL_CHANNELS * max(1, $PIXEL_LEVELS) > $SIMD} {
    send_message error "PIXEL_LEVELS must leave the bits of three pixels room in a slot."
  }
}

# ---- interfaces

add_interface clock clock end
add_interface_port clock clk clk Input 1

add_interface reset reset end
set_interface_property reset associatedClock clock
set_interface_property reset synchronousEdges BOTH
add_interface_port reset reset reset Input 1

# No wait states; data one cycle after read.
add_interface csr avalon end
set_interface_property csr associatedClock clock
set_interface_property csr associatedReset reset
set_interface_property csr addressUnits WORDS
set_interface_property csr readWaitTime 0
set_interface_property csr writeWaitTime 0
set_interface_property csr maximumPendingReadTransactions 1
add_interface_port csr avs_csr_address address Input 6
add_interface_port csr avs_csr_read read Input 1
add_interface_port csr avs_csr_write write Input 1
add_interface_port csr avs_csr_writedata writedata Input 32
add_interface_port csr avs_csr_readdata readdata Output 32
add_interface_port csr avs_csr_readdatavalid readdatavalid Output 1

add_interface csr_irq interrupt end
set_interface_property csr_irq associatedAddressablePoint csr
set_interface_property csr_irq associatedClock clock
set_interface_property csr_irq associatedReset reset
add_interface_port csr_irq ins_csr_irq irq Output 1

foreach {stream direction} {image end weight end result start} {
  add_interface $stream avalon_streaming $direction
  set_interface_property $stream associatedClock clock
  set_interface_property $stream associatedReset reset
  set_interface_property $stream dataBitsPerSymbol 8
  set_interface_property $stream firstSymbolInHighOrderBits true
  set_interface_property $stream readyLatency 0
  set_interface_property $stream maxChannel 0
}
add_interface_port image asi_image_valid valid Input 1
add_interface_port image asi_image_ready ready Output 1
add_interface_port image asi_image_data data Input 64
add_interface_port image asi_image_startofpacket startofpacket Input 1
add_interface_port image asi_image_endofpacket endofpacket Input 1
add_interface_port image asi_image_empty empty Input 3
add_interface_port image asi_image_error error Input 1

add_interface_port weight asi_weight_valid valid Input 1
add_interface_port weight asi_weight_ready ready Output 1
add_interface_port weight asi_weight_data data Input 8
add_interface_port weight asi_weight_startofpacket startofpacket Input 1
add_interface_port weight asi_weight_endofpacket endofpacket Input 1

add_interface_port result aso_result_valid valid Output 1
add_interface_port result aso_result_ready ready Input 1
add_interface_port result aso_result_data data Output 32
add_interface_port result aso_result_startofpacket startofpacket Output 1
add_interface_port result aso_result_endofpacket endofpacket Output 1
add_interface_port result aso_result_empty empty Output 2

proc elaborate {} {
  set width [get_parameter_value IMAGE_WIDTH]
  set_port_property asi_image_data WIDTH_EXPR $width
  # At least one bit, and as many as it takes to count the bytes of a beat.
  set bits 1
  while {8 << $bits < $width} {incr bits}
  set_port_property asi_image_empty WIDTH_EXPR $bits
  set_port_property asi_image_empty VHDL_TYPE STD_LOGIC_VECTOR
  if {$width == 8} {
    # A beat of one byte is never partly empty, and its stream has no such signal.
    terminate asi_image_empty
  }

  set width [get_parameter_value WEIGHT_STREAM]
  set_port_property asi_weight_data WIDTH_EXPR [expr {$width ? $width : 8}]
  if {$width == 0} {
    set_interface_property weight ENABLED false
    foreach signal {valid ready data startofpacket endofpacket} {
      terminate asi_weight_$signal
    }
  } elseif {$width > 8} {
    # Without `empty` a beat is one symbol: weight words are whole beats, in the core's own order.
    set_interface_property weight dataBitsPerSymbol $width
  }
}

# Not connected from outside: an input is 0, an output left open.
proc terminate {port} {
  set_port_property $port TERMINATION true
  if {[get_port_property $port DIRECTION] eq "Input"} {
    set_port_property $port TERMINATION_VALUE 0
  }
}
