"""The number of the way in which media are read: raised with every change by which a file gives other pixels,
samples or times than before. What was made by an earlier one goes (`mmdemo/store/made_before.py`).

1: as pixels and samples lie in the file.
2: colours by profiles, 12 and 16 bits by one scale, square pixels, no combs; sound on the clock of its file.
"""

READING = 2
