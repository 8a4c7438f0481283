// SPDX-License-Identifier: Apache-2.0
//
// The layer table of a core for convolutions, for the proofs: its fields, what follows from them,
// and what is legal, as the headers of fcc_map_table_check and fcc_map_writer say. Needs the
// parameters of fcc_map_table_check, `table_entries` and its neighbours, and W, the bits of all
// numbers here.

  localparam PARTS = SLOT / PE;
  localparam DENSE = 0, POINT = 1, WINDOW = 2, PIXELS = 3;

  function [W-1:0] words_of(input [31:0] e);
    words_of = e[6:0];
  endfunction

  function [W-1:0] side_of(input [31:0] e);
    side_of = e[14:8];
  endfunction

  function order_of(input [31:0] e);
    order_of = e[15];
  endfunction

  function [W-1:0] groups_of(input [31:0] e);
    groups_of = e[23:16];
  endfunction

  function [1:0] window_of(input [31:0] e);
    window_of = e[25:24];
  endfunction

  function pool_of(input [31:0] e);
    pool_of = e[26];
  endfunction

  function flat_of(input [31:0] e);
    flat_of = e[27];
  endfunction

  function [1:0] last_slots_of(input [31:0] e);
    last_slots_of = e[29:28];
  endfunction

  function ternary_of(input [31:0] e);
    ternary_of = e[31];
  endfunction

  // Steps of a group: its words, once for each plane of its weights.
  function [W-1:0] turn_of(input [31:0] e);
    turn_of = words_of(e) << ternary_of(e);
  endfunction

  // Of what a layer writes.
  function [W-1:0] slices_of(input [31:0] e);
    slices_of = (groups_of(e) + PARTS - 1) / PARTS;
  endfunction

  function [W-1:0] out_side_of(input [31:0] e);
    out_side_of = side_of(e) >> pool_of(e);
  endfunction

  // The least power of two that is not less.
  function [W-1:0] power_of(input [W-1:0] number);
    integer n;
    begin
      power_of = 1;
      for (n = 0; n < 8; n = n + 1) if (number > (1 << n)) power_of = 2 << n;
    end
  endfunction

  // From a pixel to that of the next four columns, and of the next two lines. A pixel of an image
  // has three of its rows; its columns are two more than the layer's side.
  function [W-1:0] slice_step_of(input [31:0] e);
    slice_step_of = power_of(slices_of(e));
  endfunction

  function [W-1:0] line_step_of(input [31:0] e);
    line_step_of = slice_step_of(e) * power_of((out_side_of(e) + 3) / 4);
  endfunction

  function [W-1:0] image_step_of(input [31:0] e);
    image_step_of = power_of((side_of(e) + 5) / 4);
  endfunction

  function [W-1:0] slots_of(input [31:0] e);
    slots_of = out_side_of(e) * out_side_of(e) * slices_of(e);
  endfunction

  // Words of a bank.
  function [W-1:0] area_of(input [31:0] e);
    area_of = flat_of(e) ? (slots_of(e) + 2) / 3 : (out_side_of(e) + 1) / 2 * line_step_of(e);
  endfunction

  // An entry; the one of the layer before it.
  reg [31:0] own;
  reg [31:0] above;
  reg legal;
  reg [W-1:0] steps_sum;
  reg [W-1:0] groups_sum;
  integer at;
  always @* begin
    legal = layers >= 1 && layers <= MAX_LAYERS && pixel_mode;
    steps_sum = 0;
    groups_sum = 0;
    own = 0;
    above = 0;
    for (at = 0; at < MAX_LAYERS; at = at + 1) begin
      above = own;
      own = table_entries[32*at+:32];
      if (at < layers) begin
        legal = legal && words_of(own) >= 1 && words_of(own) <= RING && groups_of(own) >= 1
            && groups_of(own) <= GROUPS && side_of(own) >= 1
            && !(pool_of(own) && side_of(own) % 2 == 1)
            && !own[7] && !own[30] && !(order_of(own) && (ORDER == 1 || at == 0))
            && !(ternary_of(own) && !TERNARY) && (at == 0) == (window_of(own) == PIXELS)
            && (at != 0 && flat_of(above)) == (window_of(own) == DENSE);
        case (window_of(own))
          PIXELS: legal = legal && words_of(own) == 1 && last_slots_of(own) == 3
              && side_of(own) <= 125
              && inputs == (side_of(own) + 2) * (side_of(own) + 2)
              && (side_of(own) + 1) / 2 * image_step_of(own) <= MAP_INPUT;
          WINDOW: legal = legal && side_of(own) + 2 == out_side_of(above)
              && words_of(own) == 3 * slices_of(above) && last_slots_of(own) == 3;
          POINT: legal = legal && side_of(own) == out_side_of(above)
              && words_of(own) == slices_of(above) && last_slots_of(own) == 1;
          // Slots, three to a word: 1 to 3 of them in the last one.
          default: legal = legal && !pool_of(own) && side_of(own) == 1 && last_slots_of(own) >= 1
              && slots_of(above) == 3 * (words_of(own) - 1) + last_slots_of(own);
        endcase
        if (at + 1 == layers) begin
          legal = legal && window_of(own) == DENSE && !flat_of(own) && classes >= 1
              && classes <= MAX_CLASSES && classes <= groups_of(own) * PE;
        end else begin
          legal = legal && !(window_of(own) == DENSE && !flat_of(own))
              && area_of(own) <= (at % 2 == 1 ? MAP_ODD : MAP_EVEN);
        end
        steps_sum = steps_sum + turn_of(own) * groups_of(own);
        groups_sum = groups_sum + groups_of(own);
        legal = legal && steps_sum <= WEIGHT_DEPTH && groups_sum <= THRESHOLD_DEPTH;
      end
    end
  end
