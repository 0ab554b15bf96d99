"""The commands, a file for each room they speak for; each parses, calls and prints."""
