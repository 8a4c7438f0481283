// SPDX-License-Identifier: Apache-2.0
//
// fcc_map_writer: every slot of every position of a layer's map is written exactly once, to the
// place that the header of fcc_map_writer gives it, with the bits of its groups, pooled or not,
// and 0 where there is no group. A flat layer's slots are written one behind the other, in the
// order of their positions, without those beyond an odd side. Nothing else is written, but the
// rest of the blocks that reach beyond an odd side, which lies within the map's area; the area is
// not left.
//
// One pixel or slot is watched. Holds for any pauses between groups, resets, and layers that break
// off. Assumed: no more groups than the layer has; a layer begins 2 or more cycles after a group
// and stands still from the cycle after its begin on; steps of addresses and areas as the table
// check and the sequencer see to (map_table_check, map_sequencer).

`default_nettype none

module map_writer #(
    parameter PE = 1,
    parameter SLOT = 3,
    parameter ORDER = 2,
    parameter ADDRESS_BITS = 6,
    parameter ODD = 24,
    // Greatest side and most groups, at most 7.
    parameter SIDE = 6,
    parameter GROUPS = 5
) (
    input wire                  clk,
    input wire                  reset,
    input wire                  start,
    input wire                  done,
    input wire [4*ORDER*PE-1:0] bits,
    // The layer that begins.
    input wire                  next_odd,
    input wire [           2:0] next_groups,
    input wire [           2:0] next_side,
    input wire                  next_pool,
    input wire                  next_flat,
    input wire [           1:0] next_slice_bits,
    input wire [           1:0] next_quad_bits
);

  localparam A = ADDRESS_BITS;
  localparam PARTS = SLOT / PE;
  // As wide as anything here is counted.
  localparam W = 10;
  localparam AREAS = 1 << A;

  reg odd, pool, flat;
  reg [W-1:0] groups, side;
  reg [1:0] slice_bits, quad_bits;
  wire [W-1:0] column_step = 1 << slice_bits;
  wire [W-1:0] line_step = column_step << quad_bits;
  wire [7:0] write;
  wire [A-1:0] write_address;
  wire [4*ORDER*SLOT-1:0] write_data;

  fcc_map_writer #(
      .PE          (PE),
      .SLOT        (SLOT),
      .ORDER       (ORDER),
      .ADDRESS_BITS(ADDRESS_BITS),
      .ODD         (ODD)
  ) dut (
      .clk          (clk),
      .reset        (reset),
      .start        (start),
      .odd          (odd),
      .groups       (groups[7:0]),
      .side         (side[6:0]),
      .pool         (pool),
      .flat         (flat),
      .line_step    (line_step[A-1:0]),
      .column_step  (column_step[A-1:0]),
      .done         (done),
      .bits         (bits),
      .write        (write),
      .write_address(write_address),
      .write_data   (write_data)
  );

  // ---- the layer, and where it is: the next group to be finished

  reg started = 1'b0;
  // Groups are to come; cycles since the last one, up to 2.
  reg active;
  reg [1:0] since;
  reg [W-1:0] group, turn, column, line, flat_slots;
  wire [W-1:0] slices = (groups + PARTS - 1) / PARTS;
  wire [W-1:0] out_side = pool ? side / 2 : side;
  wire [W-1:0] blocks = (side + 1) / 2;
  wire [W-1:0] pairs = (out_side + 1) / 2;
  wire repeated = flat && !pool && side != 1;
  wire last_group = (group + 1 == groups);
  wire last_turn = (!repeated || turn == 3);
  wire last_column = (column + 1 == blocks);
  wire finishes = last_group && last_turn && last_column && line + 1 == blocks;
  wire slot_done = last_group || (group % PARTS == PARTS - 1);
  // A repeated block stores one of its positions at a time.
  wire stored = !repeated || (2 * line + turn[1] < side && 2 * column + turn[0] < side);

  // Slots of a layer that would be stored flat; words of a bank that a layer takes.
  wire [W-1:0] next_slices = (next_groups + PARTS - 1) / PARTS;
  wire [W-1:0] next_out = next_pool ? next_side / 2 : next_side;
  wire [W-1:0] next_words = next_flat ? (next_out * next_out * next_slices + 2) / 3
      : (((next_out + 1) / 2) << next_slice_bits) << next_quad_bits;

  always @* begin
    if (!started) assume (reset);
    assume (next_side >= 1 && next_side <= SIDE && next_groups >= 1 && next_groups <= GROUPS);
    if (next_pool) assume (!next_side[0]);
    assume (next_slices <= (1 << next_slice_bits));
    assume ((next_out + 3) / 4 <= (1 << next_quad_bits));
    assume (next_words <= (next_odd ? (1 << A) - ODD : ODD));
    if (done) assume (active && !start);
    if (start) assume (since == 2);
  end

  always @(posedge clk) begin
    started <= 1'b1;
    if (since != 2) since <= since + 2'd1;
    if (done) begin
      since <= 2'd0;
      group <= last_group ? 0 : group + 1;
      if (slot_done && flat && stored) flat_slots <= flat_slots + 1;
      if (last_group) begin
        turn <= last_turn ? 0 : turn + 1;
        if (last_turn) begin
          column <= last_column ? 0 : column + 1;
          if (last_column) line <= line + 1;
        end
      end
      if (finishes) active <= 1'b0;
    end
    if (start) begin
      {odd, pool, flat} <= {next_odd, next_pool, next_flat};
      groups <= next_groups;
      side <= next_side;
      {slice_bits, quad_bits} <= {next_slice_bits, next_quad_bits};
      group <= 0;
      turn <= 0;
      column <= 0;
      line <= 0;
      flat_slots <= 0;
      active <= 1'b1;
    end
    if (reset) begin
      active <= 1'b0;
      since <= 2'd2;
    end
  end

  // ---- what is watched: a pixel of the map, or a slot of a flat layer

  (* anyconst *) wire [3:0] that_y;
  (* anyconst *) wire [3:0] that_x;
  (* anyconst *) wire [3:0] that_slice;
  (* anyconst *) wire [6:0] that_slot;
  wire [6:0] flat_column = that_slot % 3;
  wire [2:0] bank = flat ? flat_column[2:0] : {that_y[0], that_x[1:0]};
  wire [W-1:0] place = (odd ? ODD : 0) + (flat ? that_slot / 3
      : that_y / 2 * line_step + that_x / 4 * column_step + that_slice);
  // It has a place in the layer's area; it is one of the map's.
  wire exists = flat ? place < (odd ? (1 << A) : ODD)
      : that_y < 2 * pairs && that_x / 4 < (1 << quad_bits) && that_slice < column_step;
  wire belongs = flat ? that_slot < out_side * out_side * slices
      : that_y < out_side && that_x < out_side && that_slice < slices;
  // Its block, and the group that completes it.
  wire [W-1:0] that_line = pool ? that_y : that_y / 2;
  wire [W-1:0] that_column = pool ? that_x : that_x / 2;
  wire [W-1:0] that_group = ((that_slice + 1) * PARTS < groups) ? (that_slice + 1) * PARTS - 1
      : groups - 1;
  wire in_block = that_line < blocks && that_column < blocks && that_slice < slices;
  wire here = exists && slot_done && (flat ? stored && flat_slots == that_slot
      : line == that_line && column == that_column && group / PARTS == that_slice);

  // ---- on the way to `write`: the groups of the three cycles before

  reg done_s1, here_s1, stores_s1, stores_s2, stores_s3, here_s2, here_s3, exists_s1, exists_s2;
  reg exists_s3, begun_s1, begun_s2, begun_s3;
  reg [W-1:0] group_s1, turn_s1, column_s1, line_s1, flat_slots_s1;
  reg [2:0] bank_s1, bank_s2, bank_s3;
  reg [W-1:0] place_s1, place_s2, place_s3, begin_s1, begin_s2, begin_s3, end_s1,
      end_s2, end_s3;
  reg [ORDER*SLOT-1:0] slot_s2, slot_s3;
  reg [1:0] visits;
  // The bits of the group, for the watched pixel: of plane p at p.
  reg [ORDER*PE-1:0] own;
  reg [1:0] level, highest;
  integer i, q, plane, of_plane, from_plane;

  function [1:0] level_of(input integer position, input integer pe);
    level_of = (ORDER == 2)
        ? {bits[(position*ORDER+ORDER-1)*PE+pe], bits[position*ORDER*PE+pe]}
        : {1'b0, bits[position*ORDER*PE+pe]};
  endfunction

  always @* begin
    for (i = 0; i < PE; i = i + 1) begin
      highest = 2'd0;
      for (q = 0; q < 4; q = q + 1) if (level_of(q, i) > highest) highest = level_of(q, i);
      level = pool ? highest : level_of(flat ? turn_s1[1:0] : {that_y[0], that_x[0]}, i);
      for (plane = 0; plane < ORDER; plane = plane + 1) own[plane*PE+i] = level[plane];
    end
  end

  always @(posedge clk) begin
    done_s1 <= done;
    begun_s1 <= begun_s1 || done;
    begun_s2 <= begun_s1;
    begun_s3 <= begun_s2;
    {group_s1, turn_s1, flat_slots_s1} <= {group, turn, flat_slots};
    {column_s1, line_s1} <= {column, line};
    // Where it stands is of the layer, which may end while this is on its way.
    {bank_s1, bank_s2, bank_s3} <= {bank, bank_s1, bank_s2};
    {place_s1, place_s2, place_s3} <= {place, place_s1, place_s2};
    {exists_s1, exists_s2, exists_s3} <= {exists, exists_s1, exists_s2};
    {begin_s1, begin_s2, begin_s3} <= {odd ? ODD[W-1:0] : {W{1'b0}}, begin_s1, begin_s2};
    {end_s1, end_s2, end_s3} <= {odd ? AREAS[W-1:0] : ODD[W-1:0], end_s1, end_s2};
    here_s1 <= done && here;
    {here_s2, here_s3} <= {here_s1, here_s2};
    stores_s1 <= done && slot_done;
    {stores_s2, stores_s3} <= {stores_s1, stores_s2};
    if (done_s1) begin
      for (of_plane = 0; of_plane < ORDER; of_plane = of_plane + 1) begin
        if (group_s1 % PARTS == 0) slot_s2[of_plane*SLOT+:SLOT] <= 0;
        slot_s2[of_plane*SLOT+group_s1%PARTS*PE+:PE] <= own[of_plane*PE+:PE];
      end
    end
    slot_s3 <= slot_s2;
    if (done && here && visits != 3) visits <= visits + 2'd1;
    if (start) begin
      visits <= 2'd0;
      begun_s1 <= 1'b0;
    end
    if (reset) begin
      {done_s1, here_s1, here_s2, here_s3, stores_s1, stores_s2, stores_s3} <= 7'd0;
      {begun_s1, begun_s2, begun_s3} <= 3'd0;
    end
  end

  // Positions of a repeated block before this one, inside the map.
  wire [W-1:0] rows_there = (2 * line + 1 < side) ? 2 : 1;
  wire [W-1:0] columns_there = (2 * column + 1 < side) ? 2 : 1;
  wire [W-1:0] positions = !repeated ? line * blocks + column
      : 2 * side * line + 2 * column * rows_there
          + (turn[1] ? columns_there : 0) + (turn[0] && (!turn[1] || rows_there == 2));
  wire passed = !active || line > that_line || (line == that_line && (column > that_column
      || (column == that_column && group > that_group)));
  wire [2:0] lane = {bank_s3[2], bank_s3[0]};

  always @* begin
    if (started && !reset) begin
      // Written when its last group comes, and not another time.
      assert ((exists_s3 && write[bank_s3] && write_address == place_s3) == here_s3);
      if (write != 0) assert (stores_s3);
      if (write != 0) assert (write_address < end_s3 && write_address >= begin_s3);
    end
    for (from_plane = 0; from_plane < ORDER; from_plane = from_plane + 1) begin
      if (started && !reset && stores_s3) begin
        assert (write_data[(lane*ORDER+from_plane)*SLOT+:SLOT]
            == slot_s3[from_plane*SLOT+:SLOT]);
      end
    end
    // Once in a layer, if it belongs to the map.
    if (started && begun_s1 && !active) begin
      if (belongs) assert (visits == 2'd1);
      if (flat && !belongs) assert (visits == 2'd0);
      assert (visits <= 2'd1);
      if (flat) assert (flat_slots == out_side * out_side * slices);
    end
  end

  // ---- for the induction: how all this and the registers inside belong together

  (* hierconn *) wire \dut.done_reg ;
  (* hierconn *) wire [7:0] \dut.group_reg ;
  (* hierconn *) wire [(PARTS > 1 ? $clog2(PARTS) : 1)-1:0] \dut.part_reg ;
  (* hierconn *) wire [7:0] \dut.slice_reg ;
  (* hierconn *) wire [1:0] \dut.repeat_reg ;
  (* hierconn *) wire [5:0] \dut.column_reg ;
  (* hierconn *) wire [5:0] \dut.line_reg ;
  (* hierconn *) wire [A-1:0] \dut.column_address_reg ;
  (* hierconn *) wire [A-1:0] \dut.line_address_reg ;
  (* hierconn *) wire [A-1:0] \dut.flat_address_reg ;
  (* hierconn *) wire [1:0] \dut.flat_column_reg ;

  // What the slot has two cycles after the part that is due: all of it behind a group, else the
  // parts before this one, and nothing behind it.
  reg done_s2, done_s3;
  reg [W-1:0] part_s2, part_s3;
  integer of_part, in_plane;
  always @(posedge clk) begin
    {done_s2, done_s3} <= reset ? 2'd0 : {done_s1, done_s2};
    part_s2 <= \dut.part_reg ;
    part_s3 <= part_s2;
  end
  always @* begin
    for (in_plane = 0; in_plane < ORDER; in_plane = in_plane + 1) begin
      for (of_part = 0; of_part < PARTS; of_part = of_part + 1) begin
        if (started && begun_s3 && (done_s3 || (part_s3 != 0 && of_part != part_s3))) begin
          assert (write_data[(lane*ORDER+in_plane)*SLOT+of_part*PE+:PE]
              == slot_s3[in_plane*SLOT+of_part*PE+:PE]);
        end
      end
    end
  end

  // The group that the module counts next.
  wire [W-1:0] group_now = done_s1 ? group_s1 : group;
  wire [W-1:0] column_now = done_s1 ? column_s1 : column;
  wire [W-1:0] line_now = done_s1 ? line_s1 : line;
  wire [W-1:0] slots_now = done_s1 ? flat_slots_s1 : flat_slots;
  wire [W-1:0] line_turns = pool ? line_now / 2 : line_now;
  wire [W-1:0] column_turns = pool ? column_now / 4 : column_now / 2;
  wire [W-1:0] line_address = line_turns * line_step;
  wire [W-1:0] column_address = line_address + column_turns * column_step;
  wire counts = active || done_s1;

  always @* begin
    if (started) begin
      assert (\dut.done_reg == done_s1);
      assert (since <= 2 && (!done_s1 || since == 0));
      if (active || begun_s1) begin
        assert (groups >= 1 && groups <= GROUPS && side >= 1 && side <= SIDE);
        assert (!(pool && side[0]));
        assert (slices <= column_step && (out_side + 3) / 4 <= (1 << quad_bits));
        assert ((flat ? (out_side * out_side * slices + 2) / 3 : pairs * line_step)
            <= (odd ? AREAS - ODD : ODD));
      end
      if (active) begin
        assert (group < groups && column < blocks && line < blocks && turn <= 3);
        assert (repeated || turn == 0);
        if (!begun_s1) assert (group == 0 && turn == 0 && column == 0 && line == 0);
        if (flat) assert (flat_slots == positions * slices + (stored ? group / PARTS : 0));
        if (flat) assert (visits == (flat_slots > that_slot && exists));
        else assert (visits == (exists && in_block && passed));
      end
      if (counts) begin
        assert (\dut.group_reg == group_now);
        assert (\dut.part_reg == group_now % PARTS);
        assert (\dut.slice_reg == group_now / PARTS);
        assert (\dut.repeat_reg == (done_s1 ? turn_s1 : turn));
        assert (\dut.column_reg == column_now && \dut.line_reg == line_now);
        assert (\dut.line_address_reg == line_address[A-1:0]);
        assert (\dut.column_address_reg == column_address[A-1:0]);
        if (flat) begin
          assert (\dut.flat_column_reg == slots_now % 3);
          assert (\dut.flat_address_reg == slots_now / 3);
        end
      end
    end
  end

endmodule

`default_nettype wire
