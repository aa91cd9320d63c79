"""Networks that measures lean on, by name; none of them is ever in a loss.

Weights are fetched on first use, or lie in a file that you name.
"""
