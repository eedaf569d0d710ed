"""Seeing inside: gates, states and gradients over time, and units that follow a property."""
