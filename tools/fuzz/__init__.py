"""Fuzzing of what reads files: inputs that are nearly right, under AddressSanitizer, guided by coverage."""
