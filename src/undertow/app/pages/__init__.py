"""The pages and nothing else: a marimo notebook each, which the server mounts by its file."""
