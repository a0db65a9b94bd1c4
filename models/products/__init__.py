"""Exact and stepwise products of quantized tensors, at the speed of BLAS; `matmul.matmul` is the way in."""
