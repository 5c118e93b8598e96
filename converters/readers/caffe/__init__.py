"""Caffe networks: prototxt, caffemodel, and the layers of BVLC Caffe and its forks."""
