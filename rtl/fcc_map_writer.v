// SPDX-License-Identifier: Apache-2.0
//
// Stores the bits of a block's four positions where the next layer will look for them: as they are,
// joined by 2x2 max-pool, which is an OR, or side by side for a dense layer. It exists so that the
// sequencer knows nothing of the way from a step to its bits: it counts groups and blocks itself.
//
// A slot is put together of SLOT / PE groups; where the groups of a layer end earlier, the rest of
// its last slot is 0. Slots are stored
//   unpooled: four at a time, pixel (2Y + y, 2X + x) of block (Y, X),
//   pooled:   pixel (Y, X),
//   flat:     slot n at row 0, column 4 * (n / 3) + n mod 3, in the order in which they come; of
//             an unpooled map with more than one position a side the block is computed four times,
//             and each time one of its positions is stored, if it lies inside the map.
// Pixel (y, x), slice s stands in bank (y mod 2)*4 + (x mod 4) at address
// (y >> 1) * line_step + (x >> 2) * column_step + s of the layer's area.
//
// Max-pool of activations of order 2 is the greatest level 2 * first bit + residual bit.
//
// Latency: 3 cycles from `done` to `write`. One group a cycle, never stalls. A layer begins 2 or
// more cycles after the last `done` of the one before.

`default_nettype none

module fcc_map_writer #(
    // Bits of a group, which divide a slot (>= 1).
    parameter PE = 1,
    // Bits of a slot (>= 1).
    parameter SLOT = 1,
    // Planes of activations (1 or 2).
    parameter ORDER = 1,
    // Bits of an address (>= 1).
    parameter ADDRESS_BITS = 1,
    // Where the area of the odd layers begins; that of the even ones begins at 0.
    parameter ODD = 1
) (
    input  wire                          clk,
    input  wire                          reset,
    // A layer begins, of which the following is stable until its last bits are stored: its number
    // is odd, its groups, its positions a side, its kind, and the steps of its output's addresses.
    input  wire                          start,
    input  wire                          odd,
    input  wire [                   7:0] groups,
    input  wire [                   6:0] side,
    input  wire                          pool,
    input  wire                          flat,
    input  wire [      ADDRESS_BITS-1:0] line_step,
    input  wire [      ADDRESS_BITS-1:0] column_step,
    // A group is finished, and in the next cycle its bits are there: of plane p of position q at
    // bit (q*ORDER + p)*PE. Plane 1 has the first bits, plane 0 the residual bits of order 2.
    input  wire                          done,
    input  wire [        4*ORDER*PE-1:0] bits,
    // To fcc_map_memory.
    output reg  [                   7:0] write,
    output reg  [      ADDRESS_BITS-1:0] write_address,
    output wire [      4*ORDER*SLOT-1:0] write_data
);

  localparam PARTS = SLOT / PE;
  localparam PART_BITS = (PARTS > 1) ? $clog2(PARTS) : 1;
  localparam [31:0] LAST_PART = PARTS - 1;
  localparam [31:0] ODD_AREA = ODD;

  reg                     done_reg;
  reg  [   PART_BITS-1:0] part_reg;
  reg  [             7:0] group_reg;
  reg  [             7:0] slice_reg;
  reg  [             1:0] repeat_reg;
  reg  [             5:0] column_reg;
  reg  [             5:0] line_reg;
  // Of the block in its line, of the line, of the next flat slot.
  reg  [ADDRESS_BITS-1:0] column_address_reg;
  reg  [ADDRESS_BITS-1:0] line_address_reg;
  reg  [ADDRESS_BITS-1:0] flat_address_reg;
  reg  [             1:0] flat_column_reg;

  wire [             6:0] last_place = side - 7'd1;
  wire [            31:0] slice32 = {24'd0, slice_reg};
  wire                    last_group = (group_reg + 8'd1 == groups);
  wire                    slot_done = last_group || (part_reg == LAST_PART[PART_BITS-1:0]);
  wire                    repeated = flat && !pool && (side != 7'd1);
  wire                    block_done = last_group && (!repeated || repeat_reg == 2'd3);
  wire                    last_column = (column_reg == last_place[6:1]);
  wire                    last_line = (line_reg == last_place[6:1]);
  // Of a map with an odd side the last blocks reach beyond it.
  wire outside = side[0] && ((repeat_reg[0] && last_column) || (repeat_reg[1] && last_line));
  wire                    flat_store = slot_done && !(repeated && outside);

  // The pixel's bank, or those of the block's pixels.
  reg  [             7:0] banks;
  integer                 b;
  always @* begin
    for (b = 0; b < 8; b = b + 1) begin
      if (flat) banks[b] = flat_store && (b < 4) && (flat_column_reg == b[1:0]);
      else if (pool) banks[b] = slot_done && line_reg[0] == b[2] && column_reg[1:0] == b[1:0];
      else banks[b] = slot_done && (column_reg[0] == b[1]);
    end
  end

  // Slices that fit an address: the table has been checked.
  wire unused = &{1'b0, last_place, slice32};
  wire column_turns = pool ? (column_reg[1:0] == 2'd3) : column_reg[0];
  wire line_turns = !pool || line_reg[0];
  wire [ADDRESS_BITS-1:0] next_line = line_address_reg
      + (line_turns ? line_step : {ADDRESS_BITS{1'b0}});

  reg  [   PART_BITS-1:0] part_s1;
  reg  [             7:0] banks_s1;
  reg  [ADDRESS_BITS-1:0] address_s1;

  always @(posedge clk) begin
    done_reg <= done;
    part_s1 <= part_reg;
    banks_s1 <= done_reg ? banks : 8'd0;
    address_s1 <= (flat ? flat_address_reg : column_address_reg + slice32[ADDRESS_BITS-1:0])
        + (odd ? ODD_AREA[ADDRESS_BITS-1:0] : {ADDRESS_BITS{1'b0}});
    write <= banks_s1;
    write_address <= address_s1;

    if (done_reg) begin
      group_reg <= last_group ? 8'd0 : group_reg + 8'd1;
      part_reg <= slot_done ? {PART_BITS{1'b0}} : part_reg + 1'b1;
      if (slot_done) slice_reg <= last_group ? 8'd0 : slice_reg + 8'd1;
      if (flat_store) begin
        flat_column_reg <= (flat_column_reg == 2'd2) ? 2'd0 : flat_column_reg + 2'd1;
        if (flat_column_reg == 2'd2) flat_address_reg <= flat_address_reg + 1'b1;
      end
      if (last_group && repeated) repeat_reg <= repeat_reg + 2'd1;
      if (block_done) begin
        column_reg <= last_column ? 6'd0 : column_reg + 6'd1;
        if (last_column) begin
          line_reg <= line_reg + 6'd1;
          line_address_reg <= next_line;
          column_address_reg <= next_line;
        end else if (column_turns) begin
          column_address_reg <= column_address_reg + column_step;
        end
      end
    end
    if (start) begin
      group_reg <= 8'd0;
      part_reg <= {PART_BITS{1'b0}};
      slice_reg <= 8'd0;
      repeat_reg <= 2'd0;
      column_reg <= 6'd0;
      line_reg <= 6'd0;
      column_address_reg <= {ADDRESS_BITS{1'b0}};
      line_address_reg <= {ADDRESS_BITS{1'b0}};
      flat_address_reg <= {ADDRESS_BITS{1'b0}};
      flat_column_reg <= 2'd0;
    end
    if (reset) begin
      done_reg <= 1'b0;
      banks_s1 <= 8'd0;
      write <= 8'd0;
    end
  end

  genvar p;
  genvar q;
  genvar i;
  generate
    for (p = 0; p < ORDER; p = p + 1) begin : g_plane
      wire [PE-1:0] at[0:3];
      wire [PE-1:0] pooled;
      for (q = 0; q < 4; q = q + 1) begin : g_place
        assign at[q] = bits[(q*ORDER+p)*PE+:PE];
      end
      if (ORDER == 2 && p == 0) begin : g_residual
        // Of the positions whose first bit is the greatest.
        wire [PE-1:0] first0 = bits[(0*ORDER+1)*PE+:PE];
        wire [PE-1:0] first1 = bits[(1*ORDER+1)*PE+:PE];
        wire [PE-1:0] first2 = bits[(2*ORDER+1)*PE+:PE];
        wire [PE-1:0] first3 = bits[(3*ORDER+1)*PE+:PE];
        wire [PE-1:0] any = first0 | first1 | first2 | first3;
        assign pooled = (at[0] & (first0 | ~any)) | (at[1] & (first1 | ~any))
            | (at[2] & (first2 | ~any)) | (at[3] & (first3 | ~any));
      end else begin : g_first
        assign pooled = at[0] | at[1] | at[2] | at[3];
      end
      wire [PE-1:0] one = pool ? pooled : at[repeat_reg];

      for (q = 0; q < 4; q = q + 1) begin : g_position
        reg [  PE-1:0] own_reg;
        reg [SLOT-1:0] slot_reg;
        always @(posedge clk) own_reg <= (pool || flat) ? one : at[q];
        for (i = 0; i < PARTS; i = i + 1) begin : g_part
          localparam [31:0] PART = i;
          always @(posedge clk) begin
            // What comes between groups is replaced by the next one before anything is written.
            if (part_s1 == PART[PART_BITS-1:0]) slot_reg[i*PE+:PE] <= own_reg;
            else if (part_s1 == {PART_BITS{1'b0}}) slot_reg[i*PE+:PE] <= {PE{1'b0}};
          end
        end
        assign write_data[(q*ORDER+p)*SLOT+:SLOT] = slot_reg;
      end
    end
  endgenerate

endmodule

`default_nettype wire
