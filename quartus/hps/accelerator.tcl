# SPDX-License-Identifier: Apache-2.0
#
# The part that both Platform Designer systems share: the core, a DMA engine that sends it images, one
# that takes its results, and the on-chip memory which both engines and the host use. For qsys-script;
# the addresses are those of address_map.tcl.

proc stop {message} {
  puts stderr "error: $message"
  exit 2
}

proc set_parameters {instance values} {
  foreach {name value} $values {
    set_instance_parameter_value $instance $name $value
  }
}

# A 50 MHz clock and the instances, the core with `parameters` (name value ...) unlike its defaults.
proc add_accelerator {parameters} {
  global xfcc
  add_instance clk clock_source
  set_parameters clk {clockFrequency 50000000.0 clockFrequencyKnown true
      resetSynchronousEdges NONE}
  add_interface clk clock sink
  set_interface_property clk EXPORT_OF clk.clk_in
  add_interface reset reset sink
  set_interface_property reset EXPORT_OF clk.clk_in_reset

  add_instance core xnor_fcc
  set known [get_instance_parameters core]
  foreach {name value} $parameters {
    if {[lsearch -exact $known $name] < 0} {
      stop "$name is not a parameter of the core."
    }
  }
  set_parameters core $parameters
  if {[get_instance_parameter_value core WEIGHT_STREAM] != 0} {
    stop "this system is for a core with a weight memory: leave WEIGHT_STREAM at 0."
  }

  # An engine's data are as wide as the stream, so that no adapter is needed. Packets begin at
  # multiples of a beat in memory and may end anywhere.
  set width [get_instance_parameter_value core IMAGE_WIDTH]
  add_engine image_dma 1 $width
  set_parameters image_dma {ERROR_ENABLE 1 ERROR_WIDTH 1}
  add_engine result_dma 2 32

  add_instance stream_buffer altera_avalon_onchip_memory2
  set_parameters stream_buffer [list memorySize [expr {$xfcc(BUFFER_BYTES)}] dataWidth 64 \
      writable true dualPort false initMemContent false]

  foreach {instance clock reset} {
    core clock reset image_dma clock reset_n result_dma clock reset_n stream_buffer clk1 reset1
  } {
    add_connection clk.clk $instance.$clock
    add_connection clk.clk_reset $instance.$reset
  }
  add_connection image_dma.st_source core.image
  add_connection core.result result_dma.st_sink
  foreach master {image_dma.mm_read result_dma.mm_write} {
    connect_at $master stream_buffer.s1 $xfcc(DMA_BUFFER)
  }
}

# `mode`: 1 from memory to a stream, 2 from a stream to memory.
proc add_engine {name mode width} {
  global xfcc
  add_instance $name altera_msgdma
  set_parameters $name [list MODE $mode DATA_WIDTH $width DATA_FIFO_DEPTH 64 \
      DESCRIPTOR_FIFO_DEPTH [expr {$xfcc(DESCRIPTORS)}] RESPONSE_PORT 2 \
      MAX_BYTE [expr {$xfcc(BUFFER_BYTES)}] BURST_ENABLE 0 ENHANCED_FEATURES 0 \
      PACKET_ENABLE 1 CHANNEL_ENABLE 0 \
      TRANSFER_TYPE [expr {$width == 8 ? "Full Word Accesses Only" : "Aligned Accesses"}]]
}

proc connect_at {master slave address} {
  add_connection $master $slave
  set_connection_parameter_value $master/$slave baseAddress $address
}

# Registers behind one master and the buffer behind another, which may be the same; `registers` and
# `buffer` are the addresses at which those masters see them.
proc connect_host {register_master registers buffer_master buffer} {
  global xfcc
  foreach {part slave} {
    CORE core.csr
    IMAGE_CSR image_dma.csr
    IMAGE_DESCRIPTOR image_dma.descriptor_slave
    RESULT_CSR result_dma.csr
    RESULT_DESCRIPTOR result_dma.descriptor_slave
  } {
    set offset $xfcc(${part}_OFFSET)
    connect_at $register_master $slave [format 0x%08x [expr {$registers + $offset}]]
  }
  connect_at $buffer_master stream_buffer.s1 [format 0x%08x $buffer]
}
