"""How a module's call is run: directly, by an engine under autograd, or as an operator that compilers keep whole."""
