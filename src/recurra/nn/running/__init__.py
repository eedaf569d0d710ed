"""Running a module's call: directly, by an engine under autograd, or as an operator that compilers keep whole."""
