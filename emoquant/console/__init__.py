"""What a user types and reads: words of the command line, errors, progress, warnings."""
