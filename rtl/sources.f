// SPDX-License-Identifier: Apache-2.0
// The files of the core, one a line, for every tool: simulation, lint, synthesis, Quartus.
// Paths from the top of the repository.
rtl/fcc_accumulators.v
rtl/fcc_argmax.v
rtl/fcc_batcher.v
rtl/fcc_chunk_shifter.v
rtl/fcc_core.v
rtl/fcc_counter_5to3.v
rtl/fcc_csr.v
rtl/fcc_engine.v
rtl/fcc_hidden_block.v
rtl/fcc_image_sink.v
rtl/fcc_lane.v
rtl/fcc_lanes.v
rtl/fcc_load_crc.v
rtl/fcc_margin_memory.v
rtl/fcc_memory.v
rtl/fcc_memory_bank.v
rtl/fcc_pair.v
rtl/fcc_parity_coder.v
rtl/fcc_parity_prefix.v
rtl/fcc_pe_array.v
rtl/fcc_plane_counter.v
rtl/fcc_result_source.v
rtl/fcc_ring.v
rtl/fcc_ring_block.v
rtl/fcc_sequencer.v
rtl/fcc_table_check.v
rtl/fcc_threshold_memory.v
rtl/fcc_threshold_source.v
rtl/fcc_weight_memory.v
rtl/fcc_weight_source.v
rtl/fcc_weight_stream.v
rtl/fcc_word_loader.v
rtl/xnor_fcc.v
rtl/xnor_popcount.v
