"""Errors, limits, exit codes, whole-file writes and processes; nothing of scans."""
