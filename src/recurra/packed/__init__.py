"""Programs with packed weights, sequences packed to rows, states packed to bytes."""
