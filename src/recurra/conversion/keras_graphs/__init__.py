"""Models of Keras as graphs of operators: branches, several inputs and outputs, shared layers, masks."""
