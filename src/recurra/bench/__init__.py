"""The benchmark: recurra's times beside those of other libraries, in one process, and beside the machine's limits.

``run.py`` starts one process for each number of threads. In it ``worker.py`` takes the cases of ``cases.py`` one by
one. ``measure.py`` checks that recurra and every peer of ``peers/`` compute the same numbers, and times them in turns
(``timing.py``). ``report.py`` writes the page.
"""
