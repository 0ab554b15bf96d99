"""The pages, one folder each; `notebook.py` in it is what the server mounts.

kit/           what pages share
playground/    a network trained as one looks
runs/          what a store holds
experiments/   the classic demonstrations, trained and followed
"""
