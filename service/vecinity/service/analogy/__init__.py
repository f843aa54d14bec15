"""The arithmetic of analogies: the terms and methods, and the scan that compares with every row.

Each method is a file, in NumPy; `kernels` does what takes longest of a large scan as machine code. Under cosine the
vectors of terms and items have length 1.
"""
