"""The command line: parses and serves, holds no logic."""
