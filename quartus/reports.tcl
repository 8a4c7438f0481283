# SPDX-License-Identifier: Apache-2.0
#
# What the reports of a compilation say, for build.tcl: area, slack, Fmax, what is unconstrained; and
# how that is written as JSON. The reports must be loaded (load_report). What cannot be read is an
# error: a figure that is not there must not pass for a good one.

# The rows of the report panels whose name matches, headings included, each a list of trimmed cells.
proc panel_rows {pattern} {
  set rows {}
  foreach name [get_report_panel_names] {
    if {[string match $pattern $name]} {
      set id [get_report_panel_id $name]
      for {set i 0} {$i < [get_number_of_rows -id $id]} {incr i} {
        set row {}
        foreach cell [get_report_panel_row -id $id -row $i] {
          lappend row [string trim $cell]
        }
        lappend rows $row
      }
    }
  }
  if {![llength $rows]} {
    error "the reports of Quartus have no panel $pattern, so no .sof is made."
  }
  return $rows
}

# {used available} of a resource in the fitter's summary.
proc resource {name} {
  foreach row [panel_rows "Fitter||Fitter Summary"] {
    if {[lindex $row 0] eq $name
        && [regexp {^([\d,]+) / ([\d,]+)} [lindex $row 1] all used available]} {
      return [string map {, ""} [list $used $available]]
    }
  }
  error "the fitter's summary does not tell: $name."
}

# Worst slack in ns of each kind over all corners and clocks; N/A where there are no such paths.
proc slacks {} {
  set kinds {setup hold recovery removal "minimum pulse width"}
  foreach row [panel_rows "*Timing Analyzer||Multicorner Timing Analysis Summary"] {
    if {[lindex $row 0] eq "Worst-case Slack"} {
      foreach kind $kinds slack [lrange $row 1 end] {
        # Nothing has a clear or a preset here, but everything has a clock.
        if {![string is double -strict $slack]
            && !($slack eq "N/A" && $kind in {recovery removal})} {
          error "the timing analyser tells no slack for $kind, so no .sof is made."
        }
        dict set result $kind $slack
      }
      return $result
    }
  }
  error "the timing analyser tells no worst-case slack, so no .sof is made."
}

# Lowest Fmax in MHz over all corners and clocks.
proc fmax {} {
  set lowest Inf
  foreach row [panel_rows "*Timing Analyzer||* Model||* Model Fmax Summary"] {
    if {[scan [lindex $row 0] %f mhz] == 1 && $mhz < $lowest} {
      set lowest $mhz
    }
  }
  if {$lowest == Inf} {
    error "the timing analyser tells no Fmax, so no .sof is made."
  }
  return $lowest
}

# What the timing analyser found without a constraint: clocks, ports and paths with their numbers.
proc unconstrained {} {
  set found {}
  set kinds 0
  foreach row [panel_rows "*Unconstrained Paths Summary"] {
    set counts [lsort -dictionary -unique [lrange $row 1 end]]
    if {[lindex $row 0] eq "Property"} {
      continue
    }
    incr kinds
    if {$counts ne "0"} {
      lappend found "[string tolower [lindex $row 0]]: [join $counts { and }]"
    }
  }
  if {!$kinds} {
    error "the timing analyser does not tell what is unconstrained, so no .sof is made."
  }
  return $found
}

# ---- JSON

proc json_string {text} {
  return "\"[string map {\\ \\\\ \" \\\"} $text]\""
}

# An object of names and values; the values are JSON already.
proc json_object {values} {
  set members {}
  foreach {name value} $values {
    lappend members "[json_string $name]: $value"
  }
  return "{[join $members {, }]}"
}
