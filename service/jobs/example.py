"""A net for those who brought none, and for warming up. One of its two layers is wrong."""

from typing import Final

EXAMPLE: Final = b"""\
name: "example"
layer { name: "data" type: "Input" top: "data"
  input_param { shape { dim: 1 dim: 8 dim: 16 dim: 16 } } }
layer { name: "up2" type: "Deconvolution" bottom: "data" top: "up2"
  convolution_param { num_output: 8 group: 8 bias_term: false kernel_size: 2 stride: 2
    weight_filler { type: "bilinear" } } }
layer { name: "up4" type: "Deconvolution" bottom: "up2" top: "up4"
  convolution_param { num_output: 8 group: 8 bias_term: false kernel_size: 8 stride: 4 pad: 2
    weight_filler { type: "bilinear" } } }
"""
