"""Any torch module as a graph of operators, by torch.export."""
