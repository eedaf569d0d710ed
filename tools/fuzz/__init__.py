"""Fuzzing of the readers of files: inputs that are nearly right, under AddressSanitizer, guided by coverage."""
