"""The benchmark: recurra's times beside those of other libraries, in one process, and beside the machine's limits.

``run.py`` starts one process for each number of threads; in it, ``worker.py`` takes the cases of ``cases.py`` one by
one and has ``measure.py`` time them: recurra and every peer of ``peers/`` in turns (``timing.py``), after a check that
they compute the same numbers. ``report.py`` writes the result down, with what ``requirements.py`` asks for.
"""
