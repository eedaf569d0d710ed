"""Fuzzing of the readers of files: nearly right inputs, under AddressSanitizer, guided by coverage."""
