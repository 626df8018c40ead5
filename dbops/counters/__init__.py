"""Counters that are kept: packed, stored, thinned out with their age, and read again as the beginning of a window."""
