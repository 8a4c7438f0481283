// SPDX-License-Identifier: Apache-2.0
//
// Bits of a slice of the wide memories' words (fcc_memory_bank), because no tool promises to infer
// a memory of ten thousand bits a word. 160 are far below every limit that is known: AMD's Block
// Memory Generator took 1,152 at first (DS512), Altera's wizard has made an altsyncram of 1,280
// bits and 256 words, and Vivado refuses a variable of more than 1,000,000 bits (Synth 8-4556).
// They are 4 M10K as 256 x 40, so that slices take as many blocks as the whole word would, and
// 9 EBR of an ECP5 as 1024 x 18, nearly full. And they are 5 chunks of weights: a word is written
// slice by slice (fcc_word_loader).

localparam SLICE = 160;
